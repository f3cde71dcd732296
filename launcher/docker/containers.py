"""The containers of a project, as the engine sees them."""

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from launcher.docker import engine
from launcher.problem import Problem
from launcher.status import HEALTHY, STARTING, STOPPED, UNHEALTHY, PartStatus

SERVICES = ("redis", "influxdb", "influxdb-setup", "consumer", "worker", "web", "gateway", "producer", "door")
"""In the order of their start."""
SETUP = "influxdb-setup"
_HEALTH = {"healthy": HEALTHY, "starting": STARTING, "unhealthy": UNHEALTHY}


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a service."""

    id: str
    service: str
    number: int
    status: str
    """The engine's word: created, running, restarting, exited, …"""
    health: str
    exit_code: int
    started_s: float
    restarts: int

    @property
    def name(self) -> str:
        """As in local mode: ``worker-1``, and ``gateway`` as long as there is one alone."""
        return (
            f"{self.service}-{self.number}" if self.service == "worker" or self.number > 1 else self.service
        )

    @property
    def is_done(self) -> bool:
        """Whether it was to end, and did so without an error."""
        return self.service == SETUP and self.status == "exited" and self.exit_code == 0

    def part_status(self) -> PartStatus:
        """The state in the words of every mode."""
        return PartStatus(self.name, self._state(), self.started_s, self.restarts)

    def _state(self) -> str:
        if self.status == "running":
            return _HEALTH.get(self.health, HEALTHY)
        if self.service == SETUP and self.status == "exited":
            return UNHEALTHY
        return STARTING if self.status == "restarting" else STOPPED


def find(project: str) -> list[Container]:
    """All containers of ``project``, in the order of the services' start.

    Raises:
        Problem: the engine can't be asked.
    """
    label = f"label=com.docker.compose.project={project}"
    ids = run("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()
    found = [_container(one) for one in _inspect(ids)] if ids else []
    order = {service: index for index, service in enumerate(SERVICES)}
    return sorted(found, key=lambda one: (order.get(one.service, len(order)), one.service, one.number))


def run(*words: str) -> str:
    """The output of a docker command. Raises Problem where it failed."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Problem("docker is not installed: install Docker, or use --mode local") from None
    if done.returncode:
        raise Problem(engine.meaning(done.stderr, f"docker {words[0]} failed"))
    return done.stdout


def _inspect(ids: list[str]) -> list[dict[str, Any]]:
    """What is left of ``ids``; one that is gone by now is left out."""
    done = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def _container(inspected: dict[str, Any]) -> Container:
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    return Container(
        id=inspected["Id"],
        service=labels["com.docker.compose.service"],
        number=int(labels.get("com.docker.compose.container-number", 1)),
        status=state["Status"],
        health=state.get("Health", {}).get("Status", ""),
        exit_code=state["ExitCode"],
        started_s=unix_s(state["StartedAt"]),
        restarts=inspected["RestartCount"],
    )


def unix_s(moment: str) -> float:
    """Docker writes up to nine digits after the point, more than Python 3.11 reads everywhere."""
    whole, _, rest = moment.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")
