"""Arrival times of calls and their messages."""

import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

from pipeline.clock import NS_PER_S, Clock

TOLERANCE_NS = NS_PER_S
"""If the clock is set back by less, arrival times continue from the last one. If by more, they would be wrong
until it catches up, so they follow the clock under a new consumer tag."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """When a call reached the server."""

    wall_ns: int
    monotonic_ns: int
    """Tells a clock that was set back from a call whose body was slow, so that others overtook it."""


_reached: ContextVar[_Reading] = ContextVar("reached")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Arrival times of one call's messages, Unix nanoseconds, unique within the consumer tag."""

    consumer: str
    times_ns: range


def consumer_tag() -> str:
    """A tag that no other consumer uses."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


class ArrivalClock(grpc.ServerInterceptor):
    """Reads the clock when a call reaches the server, before its body is read and a thread is free for it.

    gRPC runs an interceptor and then the call's handler in one context of ``contextvars`` (``_RPCState`` in
    its ``grpc/_server.py``); so the handler can read what the interceptor stored. If that changes, a call's
    arrival is when its handler starts. Thread-safe.
    """

    def __init__(self, clock: Clock = time.time_ns, new_tag: Callable[[], str] = consumer_tag) -> None:
        self._clock = clock
        self._new_tag = new_tag
        self._tag = new_tag()
        self._last = 0
        self._newest_ns = 0
        self._lock = threading.Lock()

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """Record when the call arrived."""
        _reached.set(self._read())
        return continuation(details)

    def stamp(self, count: int) -> Stamp:
        """Stamp ``count`` messages of the current call.

        Within one tag times are unique and strictly rising from each ``stamp`` to the next, also while the
        clock is set back. So a call whose body was slow is stamped right after those that overtook it.
        """
        reached = _reached.get(None) or self._read()
        with self._lock:
            if reached.monotonic_ns >= self._newest_ns:  # otherwise its reading is less because it is older
                self._newest_ns = reached.monotonic_ns
                self._follow(reached.wall_ns)
            first = self._last + 1
            self._last += count
            return Stamp(self._tag, range(first, first + count))

    def _read(self) -> _Reading:
        return _Reading(self._clock(), time.monotonic_ns())

    def _follow(self, wall_ns: int) -> None:
        if wall_ns < self._last - TOLERANCE_NS:
            self._tag, self._last = self._new_tag(), 0
        self._last = max(self._last, wall_ns - 1)
