"""How one service is, the same for every mode."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

HEALTHY = "healthy"
STARTING = "starting"
UNHEALTHY = "unhealthy"
STOPPED = "stopped"

_NEEDS = {
    "producer": ("gateway",),
    "gateway": ("consumer",),
    "consumer": ("redis",),
    "worker": ("redis", "influxdb"),
    "web": ("redis", "influxdb"),
    "proxy": ("gateway", "web"),
}
"""What a service can't work without."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service, as it is now."""

    name: str
    state: str
    since_s: float | None = None
    """Unix time at which its process started."""
    restarts: int = 0
    """How often it was restarted since ``up``, by whatever."""
    pid: int | None = None
    reason: str = ""
    """Why it is not healthy."""
    note: str = ""
    """What else is worth knowing, such as the program and its version."""
    crash_looping: bool = False

    def line(self) -> str:
        """The service on one line."""
        since = "-" if self.since_s is None else _local_time(self.since_s)
        head = f"{self.name:<11} {self.state:<10} since {since:<25}  restarts {self.restarts}"
        tail = "  ".join(filter(None, (self.reason, self.note)))
        return f"{head}  pid {self.pid or '-':<7} {tail}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """The service for ``--json``."""
        found = asdict(self)
        del found["crash_looping"], found["since_s"]
        since = None if self.since_s is None else _local_time(self.since_s)
        return {**found, "since": since}


def replica(service: str, number: int) -> str:
    """What a replica is called in every mode: ``worker-1``, and ``gateway`` as long as there is only one."""
    return f"{service}-{number}" if service == "worker" or number > 1 else service


def explain(statuses: Iterable[ServiceStatus]) -> list[ServiceStatus]:
    """The same, with the cause named once: a service that only lacks another one names it."""
    statuses = list(statuses)
    unhealthy = {one.name: one for one in statuses if one.state != HEALTHY}
    return [_explained(one, unhealthy) if one.name in unhealthy else one for one in statuses]


def _explained(one: ServiceStatus, unhealthy: dict[str, ServiceStatus]) -> ServiceStatus:
    causes = _causes(one.name, unhealthy)
    if one.state == STOPPED or not causes:
        return one
    return replace(one, reason=f"waits for {' and '.join(sorted(causes))}")


def _causes(name: str, unhealthy: dict[str, ServiceStatus]) -> set[str]:
    """The services at the end of what ``name`` lacks; empty where it lacks nothing."""
    needed = [need for need in _NEEDS.get(name.partition("-")[0], ()) if need in unhealthy]
    return {cause for need in needed for cause in (_causes(need, unhealthy) or {need})}


def _local_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).astimezone().isoformat(timespec="seconds")
