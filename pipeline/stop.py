"""The request to stop a process, made by SIGTERM or SIGINT; it ends every wait."""

from __future__ import annotations

import queue
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Set once, by any thread or a signal handler, and never cleared.

    Not a ``threading.Event``: its ``set`` acquires a lock, which the thread that a signal interrupts may
    hold. ``SimpleQueue.put`` is documented to be reentrant.
    """

    def __init__(self) -> None:
        self._requested = False
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()

    @classmethod
    def on_signals(cls) -> Stop:
        """A stop that SIGTERM and SIGINT request from now on. For the main thread only."""
        stop = cls()
        for number in SIGNALS:
            signal.signal(number, stop._handle)
        return stop

    @property
    def requested(self) -> bool:
        return self._requested

    def request(self) -> None:
        self._requested = True
        self._wakeups.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until a stop is requested, at most ``seconds``. Returns whether it is."""
        if not self._requested and seconds > 0:
            try:
                self._wakeups.get(timeout=seconds)
            except queue.Empty:
                return self._requested
            self._wakeups.put(None)  # for the next wait
        return self._requested

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.request()
