"""The commands of ``./start.sh`` in docker mode."""

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from launcher.configuration import CHECKOUT
from tests.support.compose_site import Site
from tests.support.waiting import awaited, until
from tests.system.test_docs import commands

SERVICES = {"redis", "influxdb", "consumer", "worker-1", "web", "gateway", "producer", "proxy"}


def test_up_has_a_message_stored_and_shown(site: Site) -> None:
    stats = awaited(site.stats, lambda stats: stats["error"] is None, what="a reading that was in time")
    assert stats["store"] == "influxdb"
    assert stats["highest_number"] >= 0
    until(lambda: site.stats()["run"]["missing"] == 0, 15, "one that overtook another is not missing long")


def test_a_second_up_is_harmless_and_says_where_everything_is(site: Site) -> None:
    before = {one.id: one.started_s for one in site.containers()}
    done = site.start_sh("up")
    assert done.returncode == 0, done.stderr
    assert {one.id: one.started_s for one in site.containers()} == before
    assert f"http://127.0.0.1:{site.settings['FIZZBUZZ_WEB_PORT']}/fizzbuzz/" in done.stdout
    assert f"http://127.0.0.1:{site.settings['FIZZBUZZ_INFLUX_PORT']}" in done.stdout
    assert str(site.configuration.env_file) in done.stdout


def test_the_password_is_in_the_env_file_and_never_printed(site: Site) -> None:
    password = site.password()
    assert f"INFLUXDB_PASSWORD={password}" in site.configuration.env_file.read_text()
    for words in (["up"], ["status"], ["logs"]):
        done = site.start_sh(*words)
        assert password not in done.stdout + done.stderr


def test_status_has_a_line_for_each_container_and_says_that_all_are_healthy(site: Site) -> None:
    done = awaited(lambda: site.start_sh("status"), _is_well, 30, "all are healthy and counted")
    rows = [line.split() for line in done.stdout.splitlines()[: len(SERVICES)]]
    assert {row[0]: row[1] for row in rows} == dict.fromkeys(SERVICES, "healthy")
    assert all(row[2] == "since" and row[4] == "restarts" for row in rows)


def _is_well(done: "subprocess.CompletedProcess[str]") -> bool:
    """After the audit there may be conditions, such as that a busy machine's producer is late or its database
    slow; before the page answers there is none."""
    audit = re.compile(r"accepted [\d,]+ = stored [\d,]+ \+ waiting \d+ \+ failed 0")
    after = done.stdout.splitlines()[len(SERVICES) :]
    return done.returncode == 0 and any(audit.fullmatch(line) for line in after)


def test_logs_are_json_lines_in_the_order_of_time(site: Site) -> None:
    lines = [json.loads(line) for line in site.start_sh("logs").stdout.splitlines()]
    moments = [line["time"] for line in lines]
    assert moments == sorted(moments)
    assert {str(line["part"]).partition("-")[0] for line in lines} >= {"redis", "consumer", "worker", "web"}


def test_logs_of_one_service_are_of_that_service_alone(site: Site) -> None:
    lines = [json.loads(line) for line in site.start_sh("logs", "worker").stdout.splitlines()]
    assert lines
    assert all(line["part"].startswith("worker-") for line in lines)
    for name in ("worker-1", lines[0]["part"]):
        found = site.start_sh("logs", name).stdout.splitlines()
        assert [json.loads(line) for line in found[: len(lines)]] == lines


def test_a_service_that_does_not_exist_has_no_log_and_the_services_are_named(site: Site) -> None:
    done = site.start_sh("logs", "nobody")
    assert done.returncode == 2
    assert "there is no log of nobody; there are: redis, influxdb" in done.stderr


def test_failed_reads_the_queue_from_a_workers_container(site: Site) -> None:
    done = site.start_sh("failed")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no failed messages\n", "")
    assert site.start_sh("failed", "drop", "--yes", "nobody").returncode == 1


def test_a_run_is_listed_and_deleted(site: Site) -> None:
    url = f"http://127.0.0.1:{site.settings['FIZZBUZZ_GATEWAY_PORT']}/messages"
    body = {"run": "to-delete", "number": 7, "sent_at": "2026-01-01T12:00:00Z"}
    assert requests.post(url, json=body, timeout=5).status_code == 202
    listed = "1 message, highest number 7  to-delete"
    until(lambda: listed in site.start_sh("runs").stdout, 10, "the run is listed")
    done: list[subprocess.CompletedProcess[str]] = []

    def deleted() -> bool:  # not before 10 s have passed since its last message
        done.append(site.start_sh("runs", "delete", "to-delete", "--yes"))
        return done[-1].returncode == 0

    until(deleted, 30, "the run is deleted")
    assert done[-1].stdout == "deleted: to-delete with 1 message\n"
    assert "to-delete" not in site.start_sh("runs").stdout


def test_the_queues_commands_work_as_up_prints_them_and_as_the_docs_say(site: Site) -> None:
    printed = dict(line.split(maxsplit=1) for line in site.start_sh("up").stdout.splitlines())["queue"]
    written = [one for one in commands() if one.startswith("docker compose") and " rq " in one]
    assert {command.partition(" rq ")[2].split()[0].strip("'") for command in written} == {"info", "requeue"}
    for command in (printed, *written):
        typed = command.replace(".fizzbuzz/", f"{shlex.quote(str(site.configuration.home.path))}/")
        done = subprocess.run(
            ["sh", "-c", typed], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(240)
def test_the_notebook_pauses_the_workers_and_leaves_all_healthy(site: Site) -> None:
    done = site.start_sh("notebook", "--run")
    assert done.returncode == 0, done.stdout + done.stderr
    executed = site.configuration.home.path / "executed-producer_consumer.ipynb"
    assert "50 of 50 stored" in executed.read_text()
    until(lambda: site.start_sh("status").returncode == 0, 30, "all healthy")  # Docker asks every few seconds


def test_a_taken_port_is_one_line_and_leaves_nothing_behind(site: Site) -> None:
    with _listening() as port:
        other = Site(site.configuration.home.path / "other", FIZZBUZZ_WEB_PORT=str(port))
        done = other.start_sh("up", "--mode", "docker")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert f"port {port} is taken by another program: end that, or set FIZZBUZZ_WEB_PORT" in done.stderr
    assert other.left() == []


def test_an_engine_that_does_not_run_is_one_line_with_the_remedy(site: Site, tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "FIZZBUZZ_HOME": str(tmp_path)}
    done = site.start_sh("up", "--mode", "docker", **nowhere)
    assert done.returncode != 0
    assert "the Docker engine is not running: start it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_outside_redis_is_refused_with_a_reason(site: Site) -> None:
    done = site.start_sh("restart", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 2
    assert "REDIS_URL (set in the environment) is not supported in docker mode" in done.stderr
    assert site.all_healthy()


@contextmanager
def _listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]
