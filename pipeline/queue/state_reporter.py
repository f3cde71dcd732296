"""Keeps a service's state in Redis up to date."""

import logging
import threading
import time
from collections.abc import Callable

from redis import Redis, RedisError
from redis.exceptions import ResponseError

from pipeline.clock import Clock
from pipeline.queue import service_state
from pipeline.queue.service_state import ServiceState, State

PERIOD_S = 1.0
"""A service reports once a second that it is alive."""

POLL_S = 0.2
"""A change is reported within this time."""

log = logging.getLogger(__name__)

Condition = tuple[State, str, int | None]
"""State, reason, and the last successful write (Unix ns)."""


class StateReporter:
    """Reports the state of the service ``name``. One thread at a time.

    A report that fails is dropped: the next one has the same content.

    Attributes:
        refusal: why Redis refused to write the last report; empty where it did not, or did not answer.
    """

    def __init__(self, redis: Redis, name: str, *, clock: Clock = time.time_ns) -> None:
        self._redis = redis
        self._name = name
        self._clock = clock
        self._started_ns = self._since_ns = clock()
        self._state: State | None = None
        self._pruned = False
        self.refusal = ""

    def report(self, condition: Condition) -> None:
        """Set the condition that is reported from now on."""
        state, reason, last_write_ns = condition
        now_ns = self._clock()
        if state != self._state:
            self._state, self._since_ns = state, now_ns
        current = ServiceState(
            self._name, self._started_ns, state, self._since_ns, reason, now_ns, last_write_ns
        )
        self.refusal = ""
        try:
            service_state.report(self._redis, current)
            if not self._pruned:
                service_state.prune(self._redis, now_ns=now_ns)
                self._pruned = True
        except (RedisError, OSError) as error:
            self.refusal = str(error) if isinstance(error, ResponseError) else ""
            log.debug("the state can't be reported: %s", error)

    def run(self, condition: Callable[[], Condition | None], stop: threading.Event) -> None:
        """Report each change and once a second, until ``stop``; nothing while the condition is None."""
        reported: tuple[State, str] | None = None
        due_s = 0.0
        while not stop.is_set():
            now = condition()
            if now and (now[:2] != reported or time.monotonic() >= due_s):
                self.report(now)
                reported, due_s = now[:2], time.monotonic() + PERIOD_S
            stop.wait(POLL_S)
