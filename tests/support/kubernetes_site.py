"""One system in a cluster, as a user and as a test sees it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launcher import configuration, readiness
from launcher.configuration import CHECKOUT, without_settings
from launcher.kubernetes import pods
from launcher.kubernetes.cluster import Cluster
from launcher.kubernetes.pods import Pod
from launcher.status import HEALTHY
from tests.support.acceptance import Acceptance
from tests.support.launched import READY_VENV
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch

SETUP = CHECKOUT.parent / "shared" / "kubernetes" / "setup.sh"
VOLUMES = Path("/var/lib/kk-volumes")
OUTSIDE = ("redis:8", "influxdb:2")
"""Images that nodes without a registry are given; ``./start.sh`` copies the other ones."""
PORTS = ("FIZZBUZZ_WEB_PORT", "FIZZBUZZ_GATEWAY_PORT", "FIZZBUZZ_INFLUX_PORT")


DOWN_S = 10.0
LEAD_S = 4.0
"""Until a load sends."""
NODES = ("node1", "node2", "node3")
_VOLUMES = {"redis-0": "node1", "influxdb-0": "node2"}
_REPLICATED = {
    **{f"{kind}-{number}": node for kind in ("redis", "sentinel") for number, node in enumerate(NODES)},
    "influxdb-0": "node2",
}
"""The node of each pod that has a volume; the first primary and InfluxDB are on different ones."""


def use_cluster() -> None:
    """Let this process, and what it starts, find kubectl and the cluster of the setup script."""
    output = subprocess.run([str(SETUP), "env"], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"(\w+)=(\S+)", output))
    os.environ["KUBECONFIG"] = found["KUBECONFIG"]
    os.environ["PATH"] = found["PATH"].replace("$PATH", os.environ["PATH"])


def missing() -> str:
    """Why nothing can be tested in a cluster here; empty where it can."""
    if not SETUP.exists():
        return "no ../shared/kubernetes/setup.sh, which makes the cluster"
    use_cluster()
    try:
        done = subprocess.run(
            ["kubectl", "get", "--raw", "/readyz"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"the cluster of ../shared/kubernetes/setup.sh does not run: {error}"
    return "" if done.returncode == 0 else "the cluster of ../shared/kubernetes/setup.sh does not run"


class Load:
    """What came of a load."""

    acceptance: Acceptance
    pause_s = 0.0
    """The longest time in which nothing was accepted."""
    result: Mapping[str, Any] = {}

    def summary(self) -> str:
        found = self.result
        latency = found["latency_ms"]
        return (
            f"{found['acknowledged']} acknowledged, {found['stored']} stored, {found['retries']} sent again,"
            f" all stored {found['verified_after_s']} s after the end;"
            f" p50 {latency['p50']}, p99 {latency['p99']}, max {latency['max']} ms;"
            f" {found['failed_attempts']}"
        )


class Site:
    """A system of its own home, namespace and ports, in a cluster without a registry."""

    def __init__(self, home: Path, namespace: str, **settings: str) -> None:
        self.settings = {
            "FIZZBUZZ_HOME": str(home),
            "FIZZBUZZ_VENV": READY_VENV,
            "FIZZBUZZ_KUBERNETES_NAMESPACE": namespace,
            "FIZZBUZZ_KUBERNETES_LOAD": f"{SETUP} load",
            **{name: str(free_port()) for name in PORTS},
            **settings,
        }
        self.namespace = namespace
        self.configuration = configuration.load(self.settings)
        self.has_replicas = self.configuration.settings.redis_replicas > 0
        self._volumes = _REPLICATED if self.has_replicas else _VOLUMES
        self.cluster = Cluster("local", namespace)

    def start_sh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``./start.sh`` with these words."""
        return subprocess.run(
            [sys.executable, "-m", "launcher", *words],
            cwd=CHECKOUT,
            env={**without_settings(os.environ), **self.settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def start_load(self, rate: int, seconds: int, result: Path) -> subprocess.Popen[str]:
        """``./start.sh load``, in the background."""
        words = ("load", "--rate", str(rate), "--for", str(seconds), "--json", str(result))
        return subprocess.Popen(
            [sys.executable, "-m", "launcher", *words],
            cwd=CHECKOUT,
            env={**without_settings(os.environ), **self.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextmanager
    def under_load(self, rate: int, seconds: int, directory: Path) -> Iterator["Load"]:
        """A load that must be VALID at the end; what happens within the ``with`` happens under it."""
        result = directory / "load.json"
        load = Load()
        with self.start_load(rate, seconds, result) as process:
            time.sleep(LEAD_S)
            with Acceptance(readiness.api_url(self.configuration.settings), "acceptance") as load.acceptance:
                yield load
                report, _ = process.communicate()
            load.pause_s = load.acceptance.longest_pause_s()
        assert process.returncode == 0, report
        load.result = json.loads(result.read_text())
        assert load.result["verdict"] == "VALID", report
        print(f"accepted again after {load.pause_s:.1f} s at most; {load.summary()}")

    def kubectl(self, *words: str, given: str = "") -> str:
        """A call of kubectl in the system's namespace."""
        command = self.cluster.command(*words)
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def get(self, *words: str) -> list[dict[str, Any]]:
        """Objects of the namespace."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *words, "-o", "json"))["items"]
        return found

    def pods(self, service: str = "") -> list[Pod]:
        """The pods that are to run."""
        return [one for one in pods.find(self.cluster) if service in ("", one.service)]

    def all_healthy(self) -> bool:
        found = self.pods()
        there = {one.service for one in found}
        wanted = set(pods.services(replicas=self.has_replicas))
        return there == wanted and all(one.status.state == HEALTHY for one in found)

    def environment(self) -> dict[str, str]:
        """How a test reads the database."""
        url = f"http://127.0.0.1:{self.settings['FIZZBUZZ_INFLUX_PORT']}"
        return {"INFLUXDB_URL": url, "INFLUXDB_TOKEN": self.cluster.secret("read-token")["token"]}

    def primary(self) -> str:
        """The pod of Redis's primary."""
        ask = "REDISCLI_AUTH=$(cat /secrets/redis/password) redis-cli --user launcher role"
        for pod in self.pods("redis"):
            words = self.cluster.command("exec", pod.id, "--", "sh", "-c", ask)
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
            if done.stdout.startswith("master"):
                return pod.id
        logs = (
            self.kubectl("logs", one.id, "--tail=40") for one in (*self.pods("redis"), *self.pods("sentinel"))
        )
        raise AssertionError("\n".join(["no server is the primary", *logs]))

    def node_of(self, pod: str) -> str:
        (node,) = (one["spec"]["nodeName"] for one in self.get("pods") if one["metadata"]["name"] == pod)
        return str(node)

    def stats(self) -> dict[str, Any]:
        """The page's newest figures; none while the forwarded port does not answer."""
        status, body = readiness.get(f"{readiness.page_url(self.configuration.settings)}stats", timeout_s=5)
        return json.loads(body) if status == 200 else {}

    def make_volumes(self) -> None:
        """The cluster has no storage provisioner: one local volume for each claim."""
        for pod, node in self._volumes.items():
            folder = VOLUMES / f"{self.namespace}-{pod}"
            folder.mkdir(parents=True, exist_ok=True)
            self.kubectl("apply", "-f", "-", given=json.dumps(self._volume(pod, folder, node)))

    def delete_volumes(self) -> None:
        names = [f"{self.namespace}-{pod}" for pod in self._volumes]
        self.kubectl("delete", "pv", "--ignore-not-found", *names)
        for name in names:
            subprocess.run(["rm", "-rf", str(VOLUMES / name)], check=True)

    def _volume(self, pod: str, folder: Path, node: str) -> dict[str, Any]:
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": folder.name},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "accessModes": ["ReadWriteOnce"],
                "local": {"path": str(folder)},
                "claimRef": {"namespace": self.namespace, "name": f"data-{pod}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            },
        }


@contextmanager
def started(namespace: str, **settings: str) -> Iterator[Site]:
    """A system that is started, and stopped and deleted at the end."""
    home = Path(tempfile.mkdtemp(prefix="fizzbuzz-kubernetes-"))
    site = Site(home, namespace, **settings)
    for node in NODES:
        _own_logs(node)
    setup("load", *OUTSIDE)
    site.make_volumes()
    try:
        done = site.start_sh("up", "--mode", "kubernetes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield site
        watch = Stopwatch()
        done = site.start_sh("down")
        seconds, passed_s = watch.seconds, watch.passed_s
        print(f"down took {passed_s:.1f} s, {seconds:.1f} s of them its own")
        assert done.returncode == 0, done.stdout + done.stderr
        assert seconds < DOWN_S
    finally:
        done = site.start_sh("down", "--wipe")
        site.delete_volumes()
        shutil.rmtree(home, ignore_errors=True)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def lost(node: str) -> Iterator[None]:
    """A node without power; started again at the end."""
    setup("kill", node)
    try:
        yield
    finally:
        setup("start", node)
        _own_logs(node)


def setup(*words: str) -> None:
    """A call of the script that makes the cluster."""
    environ = {**os.environ, "NODES": str(len(NODES))}
    subprocess.run([str(SETUP), *words], env=environ, capture_output=True, check=True, timeout=300)


def _own_logs(node: str) -> None:
    """Give a node a folder of its own for logs: in a shared one each kubelet deletes those of the others."""
    state = Path(os.environ["KUBECONFIG"]).parent / "state"
    folder = state / node / "logs"
    folder.mkdir(exist_ok=True)
    inside = ["nsenter", "--mount", "--target", (state / f"{node}.pid").read_text().strip()]
    if subprocess.run([*inside, "mountpoint", "--quiet", "/var/log/pods"], check=False).returncode:
        subprocess.run([*inside, "mount", "--bind", str(folder), "/var/log/pods"], check=True)
