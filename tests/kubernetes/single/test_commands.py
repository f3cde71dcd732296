"""``./start.sh`` in a cluster: the same words as in the other modes."""

import json
import subprocess
from pathlib import Path

import pytest

from launcher.configuration import CHECKOUT
from launcher.kubernetes.cluster import Cluster
from launcher.kubernetes.pods import SERVICES
from tests.support.kubernetes_site import Site
from tests.support.waiting import awaited, until

KEDA = "github.com/kedacore/keda/v2@v2.17.2"


def test_after_up_the_page_moves(site: Site) -> None:
    def stored() -> int | None:
        return site.stats().get("stored_total")  # not known while the port or a reading is late

    before = awaited(stored, lambda count: count is not None, what="the page answers") or 0
    until(lambda: (stored() or 0) > before, 10, "a further message")


def test_status_has_a_line_for_each_service_and_the_audit(site: Site) -> None:
    done = awaited(lambda: site.start_sh("status", "--json"), _is_counted, 30, "all are healthy and counted")
    output = json.loads(done.stdout)
    assert {one["name"].partition("-")[0] for one in output["services"]} == set(SERVICES)
    assert output["mode"] == "kubernetes"
    assert output["ledger"]["accepted"] >= output["ledger"]["stored"] > 0


def _is_counted(done: "subprocess.CompletedProcess[str]") -> bool:
    ledger = json.loads(done.stdout)["ledger"] or {}
    return done.returncode == 0 and None not in (ledger.get("accepted"), ledger.get("stored"))


def test_logs_are_json_lines_that_name_their_service(site: Site) -> None:
    done = site.start_sh("logs", "consumer")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["part"] for line in lines} == {site.pods("consumer")[0].id}
    assert any("listening" in line["message"] for line in lines)


def test_up_again_changes_nothing(site: Site) -> None:
    pods = {one.id for one in site.pods()}
    done = site.start_sh("up")
    assert (done.returncode, "already running" in done.stdout) == (0, True)
    assert {one.id for one in site.pods()} == pods


def test_messages_that_failed_are_listed(site: Site) -> None:
    done = site.start_sh("failed", "list")
    assert done.returncode == 0, done.stdout + done.stderr


def _dry_run(overlay: str) -> None:
    """As if applied to an empty namespace that is always there, since that of the overlay need not exist."""
    command = ["kubectl", "kustomize", str(CHECKOUT / "deploy" / "kubernetes" / overlay)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = text.replace("namespace: fizzbuzz\n", "namespace: default\n")
    output = Cluster("local", "default").run("apply", "--dry-run=server", "-f", "-", given=text)
    assert output.count("(server dry run)") == text.count("kind: ") - text.count(" kind: ")


@pytest.mark.parametrize("overlay", ["base", "single", "replicated", "production", "redis-replicas"])
def test_the_api_server_accepts_an_overlay(site: Site, overlay: str) -> None:
    _dry_run(overlay)


def test_the_api_server_accepts_the_objects_of_keda(site: Site) -> None:
    """By KEDA's own schemas, from its Go module; KEDA itself does not run."""
    command = ["go", "mod", "download", "-json", KEDA]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout
    folder = Path(json.loads(output)["Dir"]) / "config" / "crd" / "bases"
    files = [
        f"--filename={folder}/keda.sh_{kind}.yaml" for kind in ("scaledobjects", "triggerauthentications")
    ]
    site.kubectl("create", *files)
    try:
        site.kubectl("wait", "--for=condition=Established", "--timeout=30s", *files)
        _dry_run("keda")
    finally:
        site.kubectl("delete", *files)
