"""``production`` as docs/kubernetes.md says, with real servers outside: a load through it is VALID."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher import configuration, readiness
from launcher.configuration import CHECKOUT, without_settings
from launcher.kubernetes import images
from launcher.kubernetes.cluster import Cluster
from tests.support import outside_servers
from tests.support.certificates import Certificates
from tests.support.kubernetes_site import SETUP
from tests.support.ports import free_port
from tests.support.waiting import until

NAMESPACE = "fizzbuzz-production"
TOKEN = "production-token-for-tests"
RATE, SECONDS = 200, 30
REPLICAS = {"producer": 1, "gateway": 2, "consumer": 3, "worker": 4, "web": 2}

pytestmark = pytest.mark.long


class Production:
    """What was applied, and how a sender outside of the cluster reaches it."""

    def __init__(self, home: Path, made: Certificates) -> None:
        self.cluster = Cluster("local", NAMESPACE)
        self.made = made
        self.gateway_port, self.web_port = free_port(), free_port()
        self._home = home

    def apply(self, influx_url: str) -> None:
        """An overlay as docs/kubernetes.md has it."""
        wanted = configuration.load(
            {"FIZZBUZZ_HOME": str(self._home), "FIZZBUZZ_KUBERNETES_LOAD": f"{SETUP} load"}
        )
        for folder in (wanted.home.logs, wanted.home.kubernetes):
            folder.mkdir(parents=True)
        built = images.build(wanted)
        overlay = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACE,
            "resources": [os.path.relpath(CHECKOUT / "deploy" / "kubernetes" / "production", self._home)],
            "images": [{"name": name, **images.split(image)} for name, image in built.items()],
            "configMapGenerator": [
                {
                    "name": "settings",
                    "namespace": "fizzbuzz",
                    "behavior": "merge",
                    "literals": [
                        f"INFLUXDB_URL={influx_url}",
                        f"INFLUXDB_CA={outside_servers.CA}/influxdb.crt",
                    ],
                }
            ],
        }
        (self._home / "kustomization.yaml").write_text(json.dumps(overlay))
        self.cluster.run("apply", "-k", str(self._home))

    def store_secrets(self, redis: Path, write_token: str, read_token: str) -> None:
        made = self.made
        ca = made.ca.read_text()
        tls = {"tls.crt": made.crt().read_text(), "tls.key": made.key().read_text(), "ca.crt": ca}
        self.cluster.run("create", "namespace", NAMESPACE)
        self.cluster.store_secrets(
            {
                **{
                    f"redis-{one}": {"url": (redis / one / "url").read_text()}
                    for one in ("consumer", "worker", "web")
                },
                "redis-ca": {"ca.crt": ca},
                "influxdb-ca": {"ca.crt": ca},
                "write-token": {"token": write_token},
                "read-token": {"token": read_token},
                "api-token": {"api_token": f"load:{TOKEN}"},
                "http-tls": tls,
                "grpc-tls": tls,
            }
        )

    def wait(self) -> None:
        for name in REPLICAS:
            self.cluster.run("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout_s=130)
        until(lambda: self.replicas() == REPLICAS, 60, "all replicas are ready")

    def replicas(self) -> Mapping[str, int]:
        found = self.cluster.items("deployments")
        return {one["metadata"]["name"]: one["status"].get("readyReplicas", 0) for one in found}

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """Forward a port to one gateway, and one to a page."""
        wanted = {"gateway": f"{self.gateway_port}:8000", "web": f"{self.web_port}:5000"}
        commands = [
            self.cluster.command("port-forward", f"service/{name}", ports) for name, ports in wanted.items()
        ]
        started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
        try:
            for port in (self.gateway_port, self.web_port):
                until(lambda at=port: readiness.get(f"https://127.0.0.1:{at}/readyz")[0] == 200, 30, "ready")  # type: ignore[misc]
            yield
        finally:
            for one in started:
                one.kill()
                one.wait()

    def load(self, database: Mapping[str, str], report: Path) -> subprocess.CompletedProcess[str]:
        """The checker, against this system."""
        words = ("--rate", str(RATE), "--for", str(SECONDS), "--json", str(report))
        settings = {
            "FIZZBUZZ_GATEWAY_PORT": str(self.gateway_port),
            "FIZZBUZZ_WEB_PORT": str(self.web_port),
            **self.made.https(),
            "FIZZBUZZ_API_TOKEN": TOKEN,
            "FIZZBUZZ_STORE": "influxdb",
            **database,
        }
        return subprocess.run(
            [sys.executable, "-m", "load", *words],
            cwd=CHECKOUT,
            env={**without_settings(os.environ), **settings},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "certificates")
    made.make("tls", outside_servers.HOST)
    return made


def test_a_load_with_redis_and_influxdb_outside_is_valid(tmp_path: Path, made: Certificates) -> None:
    production = Production(tmp_path / "home", made)
    with (
        outside_servers.redis(tmp_path / "redis", made) as redis,
        outside_servers.influx(tmp_path / "influxdb", made) as (url, write_token, read_token),
    ):
        try:
            production.store_secrets(redis, write_token, read_token)
            production.apply(url)
            production.wait()
            with production.reachable():
                database = {"INFLUXDB_URL": url, "INFLUXDB_TOKEN": read_token, "INFLUXDB_CA": str(made.ca)}
                done = production.load(database, tmp_path / "load.json")
                assert done.returncode == 0, done.stdout + done.stderr
                found = json.loads((tmp_path / "load.json").read_text())
                page = json.loads(readiness.get(f"https://127.0.0.1:{production.web_port}/fizzbuzz/stats")[1])
        finally:
            production.cluster.run("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=180)
    print(done.stdout)
    assert (found["verdict"], found["stored"]) == ("VALID", RATE * SECONDS)
    assert page["ledger"]["unaccounted"] == 0
