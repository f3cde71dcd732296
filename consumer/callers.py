"""The services that check the consumer's health, and thereby report that they are alive.

The gateway has no access to Redis. With each health check it sends its name and when it started, as metadata
of the call; the consumer puts that into Redis for it.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer
from redis import Redis, RedisError

from pipeline.clock import Clock
from pipeline.message import MAX_SENT_NS
from pipeline.queue import service_state
from pipeline.queue.service_state import ServiceState, State

NAME, STARTED, STATE = "fizzbuzz-service", "fizzbuzz-started-ns", "fizzbuzz-state"
"""Keys of the metadata; the state is ``ok`` or ``stopped``."""

MAX_CALLERS = 64
"""Callers that are remembered; further ones are ignored until one of them falls silent."""

SILENT_S = 3.0
"""A caller that did not ask for this long is no longer reported."""

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STARTED = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class _Caller:
    started_ns: int
    state: State
    since_ns: int
    at_ns: int
    at_s: float
    """By the monotonic clock."""


class Callers:
    """The recent callers. Thread-safe."""

    def __init__(
        self, clock: Clock = time.time_ns, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._lock = Lock()
        self._known: dict[str, _Caller] = {}

    def record(self, metadata: Iterable[tuple[str, Any]]) -> None:
        """Record the caller that the metadata names; anything invalid is ignored."""
        words = {str(key): str(value) for key, value in metadata}
        name, started, reported = (words.get(key, "") for key in (NAME, STARTED, STATE))
        if not (_SERVICE.fullmatch(name) and _STARTED.fullmatch(started) and int(started) <= MAX_SENT_NS):
            return
        state: State = "stopped" if reported == "stopped" else "ok"
        with self._lock:
            self._forget_silent()
            known = self._known.get(name)
            if known is None and len(self._known) >= MAX_CALLERS:
                return
            now_ns = self._clock()
            unchanged = known and (known.started_ns, known.state) == (int(started), state)
            since_ns = known.since_ns if known and unchanged else now_ns
            self._known[name] = _Caller(int(started), state, since_ns, now_ns, self._monotonic_s())

    def states(self) -> list[ServiceState]:
        """What is to be reported of the callers."""
        with self._lock:
            self._forget_silent()
            return [
                ServiceState(name, known.started_ns, known.state, known.since_ns, at_ns=known.at_ns)
                for name, known in self._known.items()
            ]

    def report(self, redis: Redis) -> None:
        """Put their states into Redis; where that fails, the next report has the same content."""
        for state in self.states():
            try:
                service_state.report(redis, state)
            except (RedisError, OSError):
                return

    def _forget_silent(self) -> None:
        oldest_s = self._monotonic_s() - SILENT_S
        self._known = {name: known for name, known in self._known.items() if known.at_s > oldest_s}


class ReportingHealth(HealthServicer):
    """``grpc.health.v1``; each ``Check`` also records its caller."""

    def __init__(self, callers: Callers) -> None:
        super().__init__(experimental_non_blocking=True)
        self._callers = callers

    def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        self._callers.record(context.invocation_metadata())
        return super().Check(request, context)
