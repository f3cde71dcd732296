"""What kubernetes mode makes of settings, of the manifests, and of kubectl's errors."""

import base64
import io
import json
import re
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import load.target
from launcher import commands, configuration, layout, log_stream, readiness, saved_state, system
from launcher.configuration import CHECKOUT
from launcher.errors import UserError
from launcher.kubernetes import forward, images, overlay, pods, redis_users, removal
from launcher.kubernetes.cluster import Cluster, current_context
from launcher.kubernetes.forward import Forward
from launcher.kubernetes.system import KubernetesSystem
from launcher.local import process_lock
from launcher.mode import KUBERNETES, LOCAL
from launcher.saved_state import SavedState
from launcher.status import HEALTHY, STARTING, UNHEALTHY
from tests.support.kubernetes_mode import BUILT, configured, fake, fake_kubectl, rendered
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch, until

MANIFESTS = CHECKOUT / "deploy" / "kubernetes"
SECRETS = {"FIZZBUZZ_API_TOKEN": "secret-of-the-api", "INFLUXDB_PASSWORD": "secret-of-the-ui"}


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake ``kubectl``: it writes its arguments and its input into files."""
    return fake_kubectl(tmp_path, monkeypatch)


def pod(name: str, *, ready: bool = True, service: str = "worker", created: str = "1", **more: Any) -> Any:
    container = {
        "restartCount": 0,
        "started": True,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "labels": {"app.kubernetes.io/name": service},
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{**container, **more}],
        },
    }


def found(kubectl: Path, items: list[Any], events: list[Any]) -> list[pods.Pod]:
    for name, content in (("pods", items), ("events", events)):
        (kubectl.parent / name).write_text(json.dumps({"items": content}))
    fake(
        kubectl, f'case "$*" in *events*) cat {kubectl.parent}/events ;; *) cat {kubectl.parent}/pods ;; esac'
    )
    return pods.find(Cluster("", "test"))


def test_the_kustomization_has_the_settings_and_no_secret(tmp_path: Path) -> None:
    wanted = configured(
        tmp_path,
        FIZZBUZZ_KUBERNETES_NAMESPACE="other",
        FIZZBUZZ_RATE="2",
        FIZZBUZZ_WORKERS="3",
        FIZZBUZZ_REDIS_MEMORY="2gb",
        FIZZBUZZ_WEB_PORT="5001",
        **SECRETS,
    )
    folder = overlay.write(wanted, BUILT, "me")
    text = rendered(folder) + (folder / "kustomization.yaml").read_text()
    assert not any(secret in text for secret in SECRETS.values())
    assert 'FIZZBUZZ_RATE: "2"' in text
    assert "\n  API_TOKEN_FILE: /secrets/api/api_token" in text
    assert text.count("name: FIZZBUZZ_API_TOKEN_FILE") == len(("producer", "gateway"))  # which have the file
    assert "FIZZBUZZ_PUBLISHED_BIND: 127.0.0.1" in text
    assert "FIZZBUZZ_WEB_PORT" not in text  # that is the forwarded port's
    assert "replicas: 3" in text
    assert f'memory: "{4 * 2**30}"' in text
    assert "fizzbuzz/owner: me" in text
    assert set(re.findall(r"\n  namespace: (\S+)", text)) == {"other"}
    assert set(re.findall(r" image: (\S+)", text)) == {*BUILT.values(), "redis:8", "influxdb:2"}


def test_with_replicas_of_redis_another_overlay_is_applied(tmp_path: Path) -> None:
    settings = {"FIZZBUZZ_REDIS_REPLICAS": "2", "FIZZBUZZ_REDIS_MEMORY": "100mb"}
    text = rendered(overlay.write(configured(tmp_path, **settings), BUILT, "me"))
    assert 'FIZZBUZZ_REDIS_REPLICAS: "2"' in text
    assert "name: sentinel" in text
    assert f'memory: "{2**30}"' in text
    assert set(re.findall(r" image: (\S+)", text)) == {*BUILT.values(), "redis:8", "influxdb:2"}


@pytest.mark.parametrize(("given", "limit"), [("16mb", 2**30), ("512mb", 2**30), ("2gb", 4 * 2**30)])
def test_redis_has_twice_its_memory_and_never_less_than_it_requests(
    tmp_path: Path, given: str, limit: int
) -> None:
    folder = overlay.write(configured(tmp_path, FIZZBUZZ_REDIS_MEMORY=given), BUILT, "me")
    written = json.loads((folder / "kustomization.yaml").read_text())
    patch = next(one["patch"] for one in written["patches"] if one["target"].get("name") == "redis")
    assert json.loads(patch)[0]["value"] == str(limit)


def test_programs_are_given_the_token_of_this_influxdb_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("of another InfluxDB")
    given = configured(
        tmp_path / "home", INFLUXDB_TOKEN_FILE=str(tmp_path / "token"), INFLUXDB_PASSWORD="p" * 8
    )
    ours = KubernetesSystem(given)
    monkeypatch.setattr(ours, "is_running", lambda: True)
    monkeypatch.setattr(forward, "ensure", lambda *_: None)
    monkeypatch.setattr(Cluster, "secret", lambda *_: {"token": "of this system"})
    target = load.target.read(ours.environment())
    assert isinstance(target.database, load.target.InfluxTarget)
    assert target.database.token == "of this system"
    assert "INFLUXDB_PASSWORD" not in ours.environment()


@pytest.mark.parametrize("replicas", [False, True])
def test_passwords_of_redis_that_the_cluster_has_are_kept(
    monkeypatch: pytest.MonkeyPatch, *, replicas: bool
) -> None:
    cluster = Cluster("", "test")
    there: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(cluster, "secret", lambda name: there.get(name, {}))
    there = redis_users.secrets(cluster, replicas=replicas)
    assert ("redis-sentinels" in there, "group" in there["redis-users"]) == (replicas, replicas)
    expected = "redis+sentinel://worker:" if replicas else "redis://worker:"
    assert there["redis-worker"]["url"].startswith(expected)
    again = redis_users.secrets(cluster, replicas=replicas)
    assert again.keys() == there.keys()
    # The one user that no pod is has another password each time.
    assert [name for name in there if again[name] != there[name]] == ["redis-users"]


def test_it_is_found_where_the_home_has_a_blank_and_is_elsewhere(tmp_path: Path) -> None:
    wanted = configured(tmp_path / "a home")
    assert rendered(overlay.write(wanted, BUILT, "me")).count("\nkind: ") > 25


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis:8", {"newName": "redis", "newTag": "8"}),
        ("redis", {"newName": "redis", "newTag": "latest"}),
        ("registry.example:5000/redis", {"newName": "registry.example:5000/redis", "newTag": "latest"}),
        ("registry.example:5000/a/redis:8", {"newName": "registry.example:5000/a/redis", "newTag": "8"}),
        ("redis:8@sha256:01", {"newName": "redis", "digest": "sha256:01"}),
    ],
)
def test_an_image_is_split_as_kustomize_has_it(image: str, parts: dict[str, str]) -> None:
    assert images.split(image) == parts


def test_the_manifests_have_the_version_of_the_project_as_tag() -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    tags = {
        tag
        for path in MANIFESTS.rglob("kustomization.yaml")
        for tag in re.findall(r"name: fizzbuzz-\S+, newTag: ([\d.]+)", path.read_text())
    }
    assert tags == {version}


@pytest.mark.parametrize("name", ["base", "single", "replicated", "production", "redis-replicas", "keda"])
def test_each_container_has_limits_probes_and_the_restricted_profile(name: str) -> None:
    yaml = pytest.importorskip("yaml")
    objects = list(yaml.safe_load_all(rendered(MANIFESTS / name)))
    assert not [one for one in objects if one["kind"] == "Secret"]
    workloads = [one for one in objects if one["kind"] in ("Deployment", "StatefulSet", "Job")]
    assert len(workloads) >= 5
    for one in workloads:
        spec = one["spec"]["template"]["spec"]
        (container,), grace_s = spec["containers"], spec["terminationGracePeriodSeconds"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"].keys() == {"requests", "limits"}
        assert ":" in container["image"]
        if one["kind"] != "Job":
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
            # What hangs would else have its whole time to end, 90 s for a consumer.
            assert container["livenessProbe"].get("terminationGracePeriodSeconds", grace_s) <= 5


def test_pods_are_named_as_in_the_other_modes(kubectl: Path) -> None:
    items = [
        pod("worker-b", created="2"),
        pod("worker-a"),
        pod("gateway-x", service="gateway"),
        pod("other", service="x"),
    ]
    assert [(one.id, one.status.name) for one in found(kubectl, items, [])] == [
        ("worker-a", "worker-1"),
        ("worker-b", "worker-2"),
        ("gateway-x", "gateway"),
    ]


def test_sentinels_are_services_where_there_are_replicas(tmp_path: Path, kubectl: Path) -> None:
    items = [pod("sentinel-0", service="sentinel"), pod("redis-0", service="redis")]
    assert [one.service for one in found(kubectl, items, [])] == ["redis", "sentinel"]
    for replicas, there in (("0", False), ("1", True)):
        wanted = configured(tmp_path / replicas, FIZZBUZZ_REDIS_REPLICAS=replicas)
        assert ("sentinel" in KubernetesSystem(wanted).services) == there


def test_a_pod_that_is_not_ready_says_why(kubectl: Path) -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not\nfound"}}
    events = [{"involvedObject": {"name": "silent"}, "message": "Readiness probe failed: not ready"}]
    items = [
        pod("a-fine"),
        pod("b-waits", ready=False, state=waiting, started=False),
        pod("silent", ready=False, restartCount=6),
    ]
    states = [
        (one.status.state, one.status.reason, one.status.crash_looping)
        for one in found(kubectl, items, events)
    ]
    assert states == [
        (HEALTHY, "", False),
        (STARTING, "ImagePullBackOff not found", False),
        (UNHEALTHY, "Readiness probe failed: not ready", True),
    ]


def test_a_pod_that_ends_is_not_counted(kubectl: Path) -> None:
    ending = pod("worker-a")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert found(kubectl, [ending], []) == []


def test_secrets_are_passed_on_no_command_line_and_read_back(kubectl: Path) -> None:
    fake(kubectl, f'echo "$*" > {kubectl.parent}/words; cat > {kubectl.parent}/given')
    cluster = Cluster("somewhere", "test")
    cluster.store_secrets({"api-token": {"api_token": "secret-of-the-api"}})
    assert "secret" not in (kubectl.parent / "words").read_text()
    (item,) = json.loads((kubectl.parent / "given").read_text())["items"]
    assert base64.b64decode(item["data"]["api_token"]) == b"secret-of-the-api"
    (kubectl.parent / "item").write_text(json.dumps(item))
    fake(kubectl, f"cat {kubectl.parent}/item")
    assert cluster.secret("api-token") == {"api_token": "secret-of-the-api"}
    fake(kubectl, "true")
    assert cluster.secret("api-token") == {}


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("error: current-context is not set", "kubectl has no cluster configured: set KUBECONFIG"),
        ("dial tcp 10.0.0.1:6443: connect: connection refused", "does not answer: start it"),
        ("error: no such thing", "kubectl config failed: error: no such thing"),
    ],
)
def test_an_error_of_kubectl_becomes_one_line(kubectl: Path, output: str, line: str) -> None:
    fake(kubectl, f'echo "{output}" >&2; exit 1')
    with pytest.raises(UserError, match=line):
        current_context()


@pytest.mark.parametrize(("status", "result"), [(0, {"write": "kept", "read": "made"}), (1, None)])
def test_the_set_up_is_given_the_kept_tokens_and_returns_those_that_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    result: dict[str, str] | None,
) -> None:
    pytest.importorskip("influxdb_client")
    from deploy.influxdb import __main__ as set_up_program
    from deploy.influxdb import exchange

    def set_up() -> int:
        assert (tmp_path / "write" / "token").read_text() == "kept"
        (tmp_path / "read" / "token").write_text("made\n")
        return status

    monkeypatch.setattr(set_up_program, "main", set_up)
    monkeypatch.setenv("FIZZBUZZ_TOKENS", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"write": "kept", "read": ""}'))
    assert exchange.main() == status
    out = capsys.readouterr().out
    assert (json.loads(out) if out else None) == result


def test_a_namespace_of_somebody_else_is_left_alone(tmp_path: Path, kubectl: Path) -> None:
    fake(kubectl, """echo '{"metadata": {"labels": {"fizzbuzz/owner": "another"}}}'""")
    ports = {f"FIZZBUZZ_{name}_PORT": str(free_port()) for name in ("WEB", "GATEWAY", "INFLUX")}
    settings = {"FIZZBUZZ_KUBERNETES_CONTEXT": "here", "INFLUXDB_PASSWORD": "long enough", **ports}
    wanted = configured(tmp_path / "home", **settings)
    with pytest.raises(UserError, match="the namespace fizzbuzz was not created by this system"):
        KubernetesSystem(wanted).prepare(None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("REDIS_URL", "redis://there"), ("FIZZBUZZ_STORE", "sqlite"), ("INFLUXDB_PASSWORD", "short")],
)
def test_a_setting_that_it_does_not_support_stops_the_start(tmp_path: Path, name: str, value: str) -> None:
    wanted = configured(tmp_path / "home", **{"INFLUXDB_PASSWORD": "long enough", name: value})
    with pytest.raises(UserError, match=name):
        KubernetesSystem(wanted).prepare(None)


def test_a_command_that_can_not_be_split_is_named_before_an_image_is_built(tmp_path: Path) -> None:
    """Not when it is needed, minutes later."""
    with pytest.raises(
        UserError, match=r"FIZZBUZZ_KUBERNETES_LOAD=.*must be a command: No closing quotation"
    ):
        configured(tmp_path / "home", FIZZBUZZ_KUBERNETES_LOAD="load 'images")
    wanted = configured(tmp_path / "other", FIZZBUZZ_KUBERNETES_LOAD="kind load 'docker image'")
    assert wanted.settings.kubernetes_load == ("kind", "load", "docker image")


def test_what_runs_is_asked_where_it_was_started_whatever_the_settings_are_now(
    tmp_path: Path, kubectl: Path
) -> None:
    """Else `down` would end what another home has in the namespace of the settings."""
    fake(kubectl, f"""echo "$@" >{tmp_path}/arguments; echo '{{"items": []}}'""")
    state = {"context": "there", "namespace": "mine", "owner": "me"}
    for number, today in enumerate(({}, {"FIZZBUZZ_KUBERNETES_CONTEXT": "here"})):
        wanted = configured(tmp_path / f"home-{number}", **today)
        (wanted.home.kubernetes / "system.json").write_text(json.dumps(state))
        assert not KubernetesSystem(wanted).is_running()
        words = (tmp_path / "arguments").read_text().split()
        assert words[:4] == ["--context", "there", "--namespace", "mine"]


def test_a_cluster_that_is_gone_does_not_keep_from_another_mode(tmp_path: Path, kubectl: Path) -> None:
    fake(kubectl, 'echo "dial tcp: connection refused" >&2; exit 1')
    home = configured(tmp_path / "home").home
    (home.kubernetes / "system.json").write_text('{"context": "gone", "owner": "me"}')
    saved_state.save(home, SavedState(KUBERNETES, True, {}, "code", "packages"))
    assert system.find_running(home, LOCAL) is None
    with pytest.raises(UserError, match="kubectl's context gone does not answer"):
        system.find_running(home)


@pytest.mark.parametrize("said", ["dial tcp: connection refused", 'error: context "gone" does not exist'])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("wipe", [False, True])
def test_down_ends_and_deletes_what_is_here_and_names_the_folder_where_the_cluster_is_gone(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, running: bool, wipe: bool
) -> None:
    fake(kubectl, f"echo '{said}' >&2; exit 1")
    wanted = configured(tmp_path / "home")
    home = wanted.home
    monkeypatch.setenv("FIZZBUZZ_HOME", str(home.path))
    state = {"context": "gone", "namespace": "test", "owner": "me"}
    (home.kubernetes / "system.json").write_text(json.dumps(state))
    saved_state.save(home, SavedState(KUBERNETES, running, {}, "code", "packages"))
    lock = home.kubernetes / "forward.lock"
    forward.ensure(wanted, Cluster("gone", "test"))
    try:
        with pytest.raises(UserError, match=f"if it is gone for good, delete {home.kubernetes} "):
            commands.down(wipe=wipe)
        assert not process_lock.is_held(lock)
        assert home.state.exists() == home.logs.exists() == (not wipe)
    finally:
        forward.stop(wanted)
    layout.delete(home.kubernetes)
    assert commands.down(wipe=wipe) == 0


def test_logs_of_pods_are_in_the_order_of_time(kubectl: Path) -> None:
    lines = [
        "[pod/worker-b/worker] 2026-01-01T00:00:00.5Z later",
        '[pod/gateway-x/gateway] 2026-01-01T00:00:00.25Z {"message": "the first", "part": "gateway"}',
        "[pod/gone/worker] 2026-01-01T00:00:00.75Z of a pod that was not asked for",
        "a line of kubectl itself",
    ]
    (kubectl.parent / "lines").write_text("\n".join(lines))
    items = [pod("worker-a"), pod("worker-b", created="2"), pod("gateway-x", service="gateway")]
    asked = found(kubectl, items, [])
    fake(kubectl, f"cat {kubectl.parent}/lines")
    read = [(one.service, one.message) for one in pods.logs(Cluster("", "test"), asked, follow=False)]
    assert read == [("gateway", "the first"), ("worker-2", "later")]


def test_logs_that_can_not_be_read_are_reported(kubectl: Path) -> None:
    asked = found(kubectl, [pod("worker-a")], [])
    fake(kubectl, "echo 'Error: container worker in pod worker-a is waiting to start' >&2; exit 1")
    with pytest.raises(UserError, match=r"some logs are missing: .*is waiting to start"):
        list(pods.logs(Cluster("", "test"), asked, follow=False))


def test_a_log_that_the_cluster_does_not_return_at_first_is_asked_for_again(
    kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_stream, "RETRY_S", 0.01)
    asked = found(kubectl, [pod("worker-a")], [])
    line = "[pod/worker-a/worker] unable to retrieve container logs for containerd://0123"
    second = "[pod/worker-a/worker] 2026-01-01T00:00:00Z it is back"
    asked_before = kubectl.parent / "asked"
    fake(
        kubectl,
        f'if [ -f {asked_before} ]; then echo "{second}"; else touch {asked_before}; echo "{line}"; fi',
    )
    cluster = Cluster("", "test")
    assert [one.message for one in pods.logs(cluster, asked, follow=False)] == ["it is back"]
    fake(kubectl, f'echo "{line}"')
    with pytest.raises(UserError, match="some logs are missing: unable to retrieve container logs"):
        list(pods.logs(cluster, asked, follow=False))


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


FORWARDS = """
case "$*" in
  *"get pods"*) cat {0}/pods ;;
  *port-forward*) echo "$$ $*" >> {0}/words; exec sleep 60 ;;
esac
"""


def test_a_forward_that_leads_nowhere_is_started_again_to_another_pod(kubectl: Path, answering: str) -> None:
    items = [pod("late", ready=False, service="web"), *(pod(name, service="web") for name in ("a", "b"))]
    (kubectl.parent / "pods").write_text(json.dumps({"items": items}))
    fake(kubectl, FORWARDS.format(kubectl.parent))
    one = Forward(Cluster("", "test"), "web", (), "1:5000", answering)
    one.keep()
    first = one.process
    assert first
    for _ in range(2 * forward.MISSES):
        one.keep()
    assert (one.process, one.pod) == (first, "a")
    one.url = "http://127.0.0.1:9/"
    for _ in range(forward.MISSES + 1):
        one.keep()
    assert one.process is not first
    assert one.pod == "b"
    one.end()


def test_the_forwarding_process_runs_once_and_is_found_again(tmp_path: Path, kubectl: Path) -> None:
    items = [pod(f"{name}-0", service=name) for name in ("web", "gateway", "influxdb")]
    (kubectl.parent / "pods").write_text(json.dumps({"items": items}))
    fake(kubectl, FORWARDS.format(kubectl.parent))
    wanted = configured(
        tmp_path / "home", FIZZBUZZ_WEB_PORT="1", FIZZBUZZ_GATEWAY_PORT="2", FIZZBUZZ_INFLUX_PORT="3"
    )
    forward.ensure(wanted, Cluster("here", "test"))
    words = kubectl.parent / "words"
    until(lambda: words.exists() and len(words.read_text().splitlines()) == 3, 20, "three forwards")
    assert (
        "--context here --namespace test port-forward --address 127.0.0.1 pod/web-0 1:5000"
        in words.read_text()
    )
    lock = wanted.home.kubernetes / "forward.lock"
    held = lock.read_text()
    forward.ensure(wanted, Cluster("here", "test"))
    assert lock.read_text() == held
    watch = Stopwatch()
    forward.stop(wanted)
    assert watch.seconds < forward.STOP_S
    assert list(wanted.home.kubernetes.iterdir()) == []
    pids = [json.loads(held)["pid"], *(line.split()[0] for line in words.read_text().splitlines())]
    until(lambda: not any(map(_lives, pids)), what="those that were killed are gone")


def test_a_cluster_that_is_away_fills_no_log_and_is_asked_less_and_less(
    tmp_path: Path, kubectl: Path
) -> None:
    calls = tmp_path / "calls"
    fake(kubectl, f'echo "$*" >> {calls}; echo "dial tcp: connection refused" >&2; exit 1')
    wanted = configured(tmp_path / "home")
    forward.ensure(wanted, Cluster("here", "test"))
    time.sleep(3)
    forward.stop(wanted)
    lines = (wanted.home.logs / "kubernetes-forward.log").read_text().splitlines()
    assert len(lines) == 3  # one for each service
    assert len(calls.read_text().splitlines()) <= 3 * 3


def test_connections_through_a_forwarded_port_are_not_logged(
    kubectl: Path, answering: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (kubectl.parent / "pods").write_text(json.dumps({"items": [pod("a", service="web")]}))
    said = "echo Handling connection for 1; echo an error >&2; exit 1"
    fake(kubectl, f'case "$*" in *"get pods"*) cat {kubectl.parent}/pods ;; *) {said} ;; esac')
    one = Forward(Cluster("", "test"), "web", (), "1:5000", answering)
    one.keep()
    assert one.process
    one.process.wait()
    assert capfd.readouterr() == ("", "an error\n")
    one.keep()
    assert one.pause_s == 2 * forward.PERIOD_S
    one.end()


def test_a_start_forwards_from_its_own_ports_whatever_was_forwarded_before(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(kubectl, "exit 1")
    before = configured(tmp_path / "home", FIZZBUZZ_WEB_PORT="1")
    wanted = configuration.load({"FIZZBUZZ_HOME": str(before.home.path), "FIZZBUZZ_WEB_PORT": "4"})
    forward.ensure(before, Cluster("there", "test"))
    monkeypatch.setattr(Cluster, "run", lambda *_, **__: "")
    monkeypatch.setattr(overlay, "write", lambda *_: tmp_path)
    monkeypatch.setattr(KubernetesSystem, "_store_secrets", lambda _: None)
    monkeypatch.setattr(KubernetesSystem, "_set_up_influxdb", lambda _: None)
    monkeypatch.setattr(readiness, "wait", lambda *_: None)
    KubernetesSystem(wanted).start()
    try:
        pid = process_lock.read(before.home.kubernetes / "forward.lock").pid
        assert '"4:5000"' in Path(f"/proc/{pid}/cmdline").read_text()
    finally:
        forward.stop(wanted)


@pytest.mark.parametrize("running", [True, False])
def test_a_status_starts_the_forwarding_process_of_what_is_not_stopped_alone(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch, *, running: bool
) -> None:
    found(kubectl, [pod("web-0", service="web")], [])
    wanted = configured(tmp_path / "home")
    (wanted.home.kubernetes / "system.json").write_text('{"context": "here", "owner": "me"}')
    saved_state.save(wanted.home, SavedState(KUBERNETES, running, {}, "code", "packages"))
    asked: list[str] = []
    monkeypatch.setattr(forward, "ensure", lambda *_: asked.append("ensure"))
    KubernetesSystem(wanted).status()
    assert asked == (["ensure"] if running else [])


def test_down_leaves_no_forwarding_process_that_a_status_started_meanwhile(
    tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(kubectl, [], [])
    wanted = configured(tmp_path / "home")
    (wanted.home.kubernetes / "system.json").write_text('{"context": "here", "owner": "me"}')
    ended: list[bool] = []

    def end(*_: object) -> None:
        ended.append(process_lock.is_held(wanted.home.kubernetes / "forward.lock"))
        forward.ensure(wanted, Cluster("here", "test"))

    monkeypatch.setattr(removal, "end", end)
    try:
        KubernetesSystem(wanted).stop()
        assert ended == [False, True]
        assert not process_lock.is_held(wanted.home.kubernetes / "forward.lock")
    finally:
        forward.stop(wanted)


def _lives(pid: int | str) -> bool:
    file = Path(f"/proc/{pid}/cmdline")  # that of a zombie is empty
    return file.exists() and file.read_bytes() != b""
