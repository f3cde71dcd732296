"""One system in containers, as a user and as a test sees it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher import configuration
from launcher.compose import containers, engine
from launcher.compose.containers import Container
from launcher.compose.project import Project
from launcher.compose.system import DockerSystem
from launcher.configuration import CHECKOUT, without_settings
from launcher.status import HEALTHY
from tests.support import behind_proxy
from tests.support.launched import READY_VENV
from tests.support.ports import free_port

PORTS = ("FIZZBUZZ_WEB_PORT", "FIZZBUZZ_GATEWAY_PORT", "FIZZBUZZ_INFLUX_PORT")


class Site:
    """A system of its own home and ports."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.settings = {
            "FIZZBUZZ_HOME": str(home),
            "FIZZBUZZ_VENV": READY_VENV,  # for the notebook; the containers need none
            **{name: str(free_port()) for name in PORTS},
            **settings,
        }
        self.configuration = configuration.load(self.settings)
        self.project = Project(self.configuration)

    def start_sh(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """``./start.sh`` with these words."""
        environ = {**without_settings(os.environ), **self.settings, **settings}
        command = [sys.executable, "-m", "launcher", *words]
        return subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)

    def up(self) -> None:
        done = self.start_sh("up", "--mode", "docker")
        assert done.returncode == 0, done.stdout + done.stderr

    def compose(self, *words: str) -> None:
        """``docker compose`` on this project."""
        self.project.run("docker compose failed", *words)

    def containers(self, service: str = "") -> list[Container]:
        """The containers that are to run."""
        found = containers.find(self.project.name)
        return [one for one in found if not one.is_done and service in ("", one.service)]

    def run_in(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command inside the first container of ``service``."""
        return self.run_in_container(self.containers(service)[0].id, *command)

    def run_in_container(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command inside this container."""
        words = ["docker", "exec", container, *command]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def password(self) -> str:
        """Of the InfluxDB's user, as the set-up's container may read it."""
        volume = f"{self.project.name}_influxdb-password"
        (container,) = inspect(self.containers("web")[0].id)
        words = ["run", "--rm", "--volume", f"{volume}:/secrets:ro", container["Image"]]
        return engine.run(*words, "cat", "/secrets/influxdb_password").strip()

    def stats(self) -> dict[str, Any]:
        """The page's newest figures."""
        stats: dict[str, Any] = json.loads(self.get("FIZZBUZZ_WEB_PORT", "/fizzbuzz/stats"))
        return stats

    def get(self, port: str, path: str) -> bytes:
        """A GET of a published port, again while nothing is served there."""
        return behind_proxy.read(f"http://127.0.0.1:{self.settings[port]}{path}")

    def left(self) -> list[str]:
        """All that the engine has of this project: containers, volumes, networks, images."""
        label = f"label=com.docker.compose.project={self.project.name}"
        return [
            line
            for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls"), ("images",))
            for line in engine.run(*kind, "--quiet", "--filter", label).split()
        ]

    def environment(self) -> Mapping[str, str]:
        """What the notebook and other programs on this machine receive."""
        return DockerSystem(self.configuration).environment()

    def all_healthy(self) -> bool:
        return all(one.service_status().state == HEALTHY for one in self.containers())


def inspect(*words: str) -> list[dict[str, Any]]:
    """What ``docker inspect`` says."""
    done = subprocess.run(["docker", "inspect", *words], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
