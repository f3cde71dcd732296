"""The containers of a project, as the engine sees them."""

import json
from dataclasses import dataclass, replace
from typing import Any

from launcher.compose import engine
from launcher.containerized import MAX_RESTARTS
from launcher.errors import UserError
from launcher.log_stream import unix_s
from launcher.status import HEALTHY, STARTING, STOPPED, UNHEALTHY, ServiceStatus, replica

SERVICES = ("redis", "influxdb", "consumer", "worker", "web", "gateway", "producer", "proxy")
"""Those that run, in the order of their start."""
ONE_SHOTS = ("secrets", "influxdb-setup")
"""Those that do their work and end, before others start."""
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
    started_s: float | None
    restarts: int
    pid: int
    health_output: str
    """What its last health check printed."""

    @property
    def name(self) -> str:
        return replica(self.service, self.number)

    @property
    def is_done(self) -> bool:
        """Whether it was to end, and did so without an error."""
        return self.service in ONE_SHOTS and self.status == "exited" and self.exit_code == 0

    def service_status(self) -> ServiceStatus:
        """The state in the terms of every mode."""
        status = ServiceStatus(self.name, self._state(), self.started_s, self.restarts, self.pid or None)
        if status.state == HEALTHY:
            return status
        reason = (
            self.health_output if self.status == "running" else f"{self.status}, exit code {self.exit_code}"
        )
        return replace(status, reason=reason, crash_looping=self.restarts > MAX_RESTARTS)

    def _state(self) -> str:
        if self.status == "running":
            return _HEALTH.get(self.health, HEALTHY)
        if self.service in ONE_SHOTS and self.status == "exited":
            return UNHEALTHY
        return STARTING if self.status == "restarting" else STOPPED


def find(project: str) -> list[Container]:
    """All containers of ``project``, in the order of the services' start.

    Raises:
        UserError: the engine can't be asked.
    """
    label = f"label=com.docker.compose.project={project}"
    ids = engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()
    found = [_container(one) for one in _inspect(ids)] if ids else []
    order = {service: index for index, service in enumerate(SERVICES)}
    # compose's own "run" containers are no service's
    kept = [one for one in found if one.number > 0]
    return sorted(kept, key=lambda one: (order.get(one.service, len(order)), one.service, one.number))


def _inspect(ids: list[str]) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(engine.run("inspect", *ids))
    except UserError:  # one of them no longer exists
        if len(ids) == 1:
            return []
        return [one for each in ids for one in _inspect([each])]
    return found


def _moment_s(text: str) -> float | None:
    """Unix time; None of what has not happened yet, which the engine says is in the year 1."""
    return None if text.startswith("0001-") else unix_s(text)


def _container(inspected: dict[str, Any]) -> Container:
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    health = state.get("Health") or {}
    checks = health.get("Log") or [{}]
    oneoff = labels.get("com.docker.compose.oneoff") == "True"
    return Container(
        id=inspected["Id"],
        service=labels["com.docker.compose.service"],
        number=0 if oneoff else int(labels.get("com.docker.compose.container-number", 1)),
        status=state["Status"],
        health=health.get("Status", ""),
        exit_code=state["ExitCode"],
        started_s=_moment_s(state["StartedAt"]),
        restarts=inspected["RestartCount"],
        pid=state.get("Pid", 0),
        health_output=(checks[-1].get("Output") or "").strip().rpartition("\n")[2][:200],
    )
