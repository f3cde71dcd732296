"""The moments at which calls, and with them their messages, arrive."""

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
"""A clock that was set back by less is waited for. By more, or where it had shown a time in the future,
arrivals would be wrong for as long as it takes to come up again: they follow it under a new consumer tag."""

_reached_ns: ContextVar[int] = ContextVar("reached_ns")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Arrival times of one call's messages, Unix nanoseconds, unique within the consumer tag."""

    consumer: str
    times_ns: range


def consumer_tag() -> str:
    """A tag that no other consumer has."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


class ArrivalClock(grpc.ServerInterceptor):
    """Reads the clock when a call reaches the server: before its body is read and a thread is free for it.

    gRPC runs an interceptor and then the call's handler in one context of ``contextvars`` (``_RPCState`` in
    its ``grpc/_server.py``); so what the one notes the other can read. Should that change, a call's arrival
    is when its handler begins. Thread-safe.
    """

    def __init__(self, clock: Clock = time.time_ns, new_tag: Callable[[], str] = consumer_tag) -> None:
        self._clock = clock
        self._new_tag = new_tag
        self._tag = new_tag()
        self._last = 0
        self._lock = threading.Lock()

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """Note when the call came."""
        _reached_ns.set(self._clock())
        return continuation(details)

    def take(self, count: int) -> Stamp:
        """Stamp ``count`` messages of the call at hand.

        Within one tag times are unique and strictly rising from each ``take`` to the next, also while the
        clock is set back.
        """
        noted_ns = _reached_ns.get(None)
        reached_ns = self._clock() if noted_ns is None else noted_ns
        with self._lock:
            if reached_ns < self._last - TOLERANCE_NS:
                self._tag, self._last = self._new_tag(), 0
            first = max(reached_ns, self._last + 1)
            self._last = first + count - 1
            return Stamp(self._tag, range(first, first + count))
