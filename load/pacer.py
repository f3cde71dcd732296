"""Wakes an event loop at each moment that a request is due: loops round their own timers to a millisecond."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Protocol

from load import kernel_timer
from load.kernel_timer import KernelTimer
from load.schedule import Schedule

_CHECK_S = 0.2
"""How long a sleep lasts at most before it checks whether to stop."""

Wake = Callable[[], None]


class Pacer(Protocol):
    """Started and stopped in the loop that it wakes."""

    def start(self) -> None:
        """Wake from now on."""

    def stop(self) -> None:
        """Wake no more; returns at once."""


def pacer(schedule: Schedule, start_ns: int, wake: Wake) -> Pacer:
    """The most exact pacer that this system has.

    Args:
        schedule: what is due when.
        start_ns: ``time.monotonic_ns()`` of the schedule's beginning.
        wake: called in the loop when something is due, or a little later.
    """
    kind = TimerPacer if kernel_timer.is_available() else ThreadPacer
    return kind(schedule, start_ns, wake)


class TimerPacer:
    """By a timer that the loop itself waits for: one wake-up a request, and no second thread to switch to."""

    def __init__(self, schedule: Schedule, start_ns: int, wake: Wake) -> None:
        self._schedule, self._start_ns, self._wake = schedule, start_ns, wake
        self._loop = asyncio.get_running_loop()
        self._timer: KernelTimer | None = None

    def start(self) -> None:
        self._timer = KernelTimer()
        self._loop.add_reader(self._timer.fd, self._expired)
        self._timer.set(self._start_ns)

    def stop(self) -> None:
        if self._timer:
            self._loop.remove_reader(self._timer.fd)
            self._timer.close()
            self._timer = None

    def _expired(self) -> None:
        if not self._timer:
            return
        self._timer.clear()
        # Before the wake-up: what becomes due during it is either sent by it or expires at once.
        following = self._schedule.next_after(time.monotonic_ns() - self._start_ns)
        self._wake()
        if following < self._schedule.requests and self._timer:
            self._timer.set(self._start_ns + self._schedule.due_ns(following))


class ThreadPacer:
    """By a thread that sleeps to absolute times; for systems without such timers."""

    def __init__(self, schedule: Schedule, start_ns: int, wake: Wake) -> None:
        self._schedule, self._start_ns, self._wake = schedule, start_ns, wake
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
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
