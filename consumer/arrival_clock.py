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

_reached_ns: ContextVar[int] = ContextVar("reached_ns")


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
        self._lock = threading.Lock()

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """Record when the call arrived."""
        _reached_ns.set(self._clock())
        return continuation(details)

    def stamp(self, count: int) -> Stamp:
        """Stamp ``count`` messages of the current call.

        Within one tag times are unique and strictly rising from each ``stamp`` to the next, also while the
        clock is set back.
        """
        recorded_ns = _reached_ns.get(None)
        reached_ns = self._clock() if recorded_ns is None else recorded_ns
        with self._lock:
            if reached_ns < self._last - TOLERANCE_NS:
                self._tag, self._last = self._new_tag(), 0
            first = max(reached_ns, self._last + 1)
            self._last = first + count - 1
            return Stamp(self._tag, range(first, first + count))
