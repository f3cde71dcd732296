"""One system in a cluster, as a user and as a test sees it."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from launcher import configuration
from launcher.configuration import CHECKOUT, without_settings
from launcher.kubernetes import pods
from launcher.kubernetes.cluster import Cluster
from launcher.kubernetes.pods import Pod
from launcher.status import HEALTHY
from tests.support.launched import READY_VENV
from tests.support.ports import free_port

SETUP = CHECKOUT.parent / "shared" / "kubernetes" / "setup.sh"
VOLUMES = Path("/var/lib/kk-volumes")
OUTSIDE = ("redis:8", "influxdb:2")
"""Images that nodes without a registry are given; ``./start.sh`` copies the other ones."""
PORTS = ("FIZZBUZZ_WEB_PORT", "FIZZBUZZ_GATEWAY_PORT", "FIZZBUZZ_INFLUX_PORT")


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
        return f"the cluster of ../shared/kubernetes/setup.sh does not answer: {error}"
    return "" if done.returncode == 0 else "the cluster of ../shared/kubernetes/setup.sh does not run"


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
        return there == set(pods.SERVICES) and all(one.status.state == HEALTHY for one in found)

    def stats(self) -> dict[str, Any]:
        """The page's newest figures; none while the forwarded port does not answer."""
        url = f"http://127.0.0.1:{self.settings['FIZZBUZZ_WEB_PORT']}/fizzbuzz/stats"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                stats: dict[str, Any] = json.loads(answer.read())
        except OSError:
            return {}
        return stats

    def make_volumes(self) -> None:
        """The cluster has no storage provisioner: one local volume for each claim."""
        for number, service in enumerate(("redis", "influxdb"), 1):
            folder = VOLUMES / f"{self.namespace}-{service}"
            folder.mkdir(parents=True, exist_ok=True)
            self.kubectl("apply", "-f", "-", given=json.dumps(self._volume(service, folder, f"node{number}")))

    def delete_volumes(self) -> None:
        names = [f"{self.namespace}-{service}" for service in ("redis", "influxdb")]
        self.kubectl("delete", "pv", "--ignore-not-found", *names)
        for name in names:
            subprocess.run(["rm", "-rf", str(VOLUMES / name)], check=True)

    def _volume(self, service: str, folder: Path, node: str) -> dict[str, Any]:
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": folder.name},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "accessModes": ["ReadWriteOnce"],
                "local": {"path": str(folder)},
                "claimRef": {"namespace": self.namespace, "name": f"data-{service}-0"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            },
        }


def load_images() -> None:
    """Copy the images that are not ours to the nodes."""
    subprocess.run([str(SETUP), "load", *OUTSIDE], capture_output=True, check=True)
