"""The moments at which calls, and with them their messages, arrive."""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import grpc

from pipeline.clock import Clock

_reached_ns: ContextVar[int] = ContextVar("reached_ns")


class Arrivals(grpc.ServerInterceptor):
    """Reads the clock when a call reaches the server: before its body is read and a thread is free for it.

    gRPC runs an interceptor and then the call's handler in one context of ``contextvars`` (``_RPCState`` in
    its ``grpc/_server.py``); so what the one notes the other can read. Thread-safe.
    """

    def __init__(self, clock: Clock = time.time_ns) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def intercept_service(self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails) -> Any:
        """Note when the call came."""
        _reached_ns.set(self._clock())
        return continuation(details)

    def take(self, count: int) -> range:
        """Arrival times of ``count`` messages of the call at hand, Unix nanoseconds.

        Unique and strictly rising from each ``take`` to the next, also while the clock is set back.
        """
        with self._lock:
            first = max(_reached_ns.get(), self._last + 1)
            self._last = first + count - 1
            return range(first, first + count)
