"""Wakes an event loop at each moment that a request is due."""

import asyncio
import threading
import time
from collections.abc import Callable

from load.schedule import Schedule

_CHECK_S = 0.2
"""How long a sleep lasts at most before it looks whether to stop."""


class Pacer:
    """A thread that sleeps to absolute times: event loops round their timers to a millisecond.

    Args:
        schedule: what is due when.
        start_ns: ``time.monotonic_ns()`` of the schedule's beginning.
        wake: called in the loop when something is due, or a little later.
    """

    def __init__(self, schedule: Schedule, start_ns: int, wake: Callable[[], None]) -> None:
        self._schedule, self._start_ns, self._wake = schedule, start_ns, wake
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wake no more; returns at once."""
        self._stopped.set()

    def _run(self) -> None:
        request = 0
        while request < self._schedule.requests and not self._stopped.is_set():
            left_s = (self._start_ns + self._schedule.due_ns(request) - time.monotonic_ns()) / 1e9
            if left_s > _CHECK_S:
                time.sleep(_CHECK_S)
                continue
            if left_s > 0:
                time.sleep(left_s)
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop is closed
                return
            request = max(request + 1, self._schedule.next_after(time.monotonic_ns() - self._start_ns))
        self._wake_last()

    def _wake_last(self) -> None:
        """What became due while the loop was woken for what came before it."""
        if not self._stopped.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)
