"""The pods of a system, as the cluster sees them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from launcher import log_stream
from launcher.containerized import MAX_RESTARTS
from launcher.kubernetes.cluster import PART_OF, Cluster
from launcher.log_line import LogLine
from launcher.log_stream import unix_s
from launcher.status import HEALTHY, STARTING, UNHEALTHY, ServiceStatus, replica

SERVICES = ("redis", "influxdb", "consumer", "worker", "web", "gateway", "producer")
"""Those that run, in the order of their start."""
SENTINEL = "sentinel"
REDIS_SERVERS = ("redis-0", "redis-1", "redis-2")
"""The pods of Redis; the first one alone where there are no replicas."""
_LOG_OPTIONS = ("--prefix", "--timestamps", "--tail=-1", "--max-log-requests=100")
_LINE = re.compile(r"\[pod/([^/\]]+)/[^\]]+\] (\S+Z) ?(.*)")
_UNREADABLE = re.compile(r"\[pod/[^\]]+\] (?!\d{4}-\d\d-)(.+)")
"""Without a moment: what the kubelet returns as if it were a log, where it can't read that."""
_NAME = "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a service."""

    id: str
    """Its name in the cluster."""
    service: str
    status: ServiceStatus

    @property
    def name(self) -> str:
        """What the service is called, as in the other modes."""
        return self.status.name


def services(*, replicas: bool) -> Sequence[str]:
    """Those that run, with or without replicas of Redis."""
    first, *others = SERVICES
    return (first, SENTINEL, *others) if replicas else SERVICES


def ready_first(cluster: Cluster, service: str) -> list[str]:
    """The names of a service's pods that are to run, those that are ready first. Raises UserError."""
    found = cluster.items("pods", "--selector", f"{PART_OF},{_NAME}={service}")
    there = [one for one in found if not one["metadata"].get("deletionTimestamp")]
    return [one["metadata"]["name"] for one in sorted(there, key=_is_ready, reverse=True)]


def find(cluster: Cluster) -> list[Pod]:
    """The pods that are to run, in the order of the services' start. Raises UserError."""
    known = services(replicas=True)
    by_service = defaultdict(list)
    for one in cluster.items("pods", "--selector", PART_OF):
        is_over = one["metadata"].get("deletionTimestamp") or one["status"].get("phase") in (
            "Succeeded",
            "Failed",
        )
        if not is_over and one["metadata"]["labels"].get(_NAME) in known:
            by_service[one["metadata"]["labels"][_NAME]].append(one)
    warnings = (
        _warnings(cluster)
        if any(not _is_ready(one) for found in by_service.values() for one in found)
        else {}
    )
    return [pod for service in known for pod in _pods(service, by_service[service], warnings)]


def logs(cluster: Cluster, found: Sequence[Pod], *, follow: bool) -> Iterator[LogLine]:
    """What these pods have written; with ``follow`` also what they write until they end.

    Raises:
        UserError: a log can't be read, such as that of a pod whose image is still fetched.
    """
    names = {one.id: one.name for one in found}
    services = ",".join(sorted({one.service for one in found}))
    selector = f"--selector={PART_OF},{_NAME} in ({services})"
    command = cluster.command("logs", selector, *_LOG_OPTIONS)
    return log_stream.read(command, _LINE, names.get, "--since-time", follow=follow, unreadable=_UNREADABLE)


def _pods(service: str, found: Sequence[dict[str, Any]], warnings: Mapping[str, str]) -> list[Pod]:
    ordered = sorted(found, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
    ids = [one["metadata"]["name"] for one in ordered]
    return [
        Pod(id_, service, _status(replica(service, number), one, warnings.get(id_, "")))
        for number, (id_, one) in enumerate(zip(ids, ordered, strict=True), 1)
    ]


def _status(name: str, pod: dict[str, Any], warning: str) -> ServiceStatus:
    container: dict[str, Any] = next(iter(pod["status"].get("containerStatuses", ())), {})
    state = container.get("state", {})
    restarts = container.get("restartCount", 0)
    started = state.get("running", {}).get("startedAt")
    since_s = unix_s(started) if started else None
    status = ServiceStatus(name, HEALTHY, since_s, restarts, note=f"pod {pod['metadata']['name']}")
    if _is_ready(pod):
        return status
    running = UNHEALTHY if container.get("started") else STARTING
    reason = _reason(pod, container) or warning or "not ready"
    return replace(status, state=running, reason=reason, crash_looping=restarts > MAX_RESTARTS)


def _reason(pod: dict[str, Any], container: dict[str, Any]) -> str:
    """Why it does not run, as far as its own state shows."""
    conditions = pod["status"].get("conditions", ())
    unscheduled = [one["message"] for one in conditions if one.get("reason") == "Unschedulable"]
    waiting = container.get("state", {}).get("waiting", {})
    ended = container.get("lastState", {}).get("terminated", {})
    code = f"exit code {ended['exitCode']}" if ended else ""
    return _one_line(
        " ".join(filter(None, (*unscheduled, waiting.get("reason"), waiting.get("message"), code)))
    )


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _warnings(cluster: Cluster) -> dict[str, str]:
    """The newest warning about each pod, such as what its probe answered."""
    events = cluster.items("events", "--field-selector", "type=Warning,involvedObject.kind=Pod")
    ordered = sorted(events, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
    return {one["involvedObject"]["name"]: _one_line(one.get("message", "")) for one in ordered}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
