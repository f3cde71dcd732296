"""How far the consumer's clock is from this one, estimated from the messages' own answers.

As NTP does (RFC 5905, section 8), but with one time of the other side: an arrival that the consumer
stamped between a request's leaving and its answer's coming bounds the difference from both sides. The
quickest round trip of late gives the closest bounds.
"""

import threading
from collections import deque

from pipeline.clock import NS_PER_S, NS_PER_US
from pipeline.message import ClockDifference

MEMORY_NS = 60 * NS_PER_S
"""Clocks drift, so older answers count no more."""

ROUNDING_NS = NS_PER_US
"""Arrivals come back cut to the microsecond."""


class Clocks:
    """The estimate for the messages of ``run``. Thread-safe."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._bounds: deque[tuple[int, int, int]] = deque()  # when noted, half the round trip, offset

    def note(self, left_ns: int, arrived_ns: int, answered_ns: int) -> None:
        """A request left, its message arrived by the consumer's clock, and its answer was here."""
        error_ns = (answered_ns - left_ns) // 2
        if error_ns < 0:  # this clock was set back meanwhile
            return
        offset_ns = arrived_ns - (left_ns + error_ns)
        with self._lock:
            while self._bounds and self._bounds[0][0] < answered_ns - MEMORY_NS:
                self._bounds.popleft()
            while self._bounds and self._bounds[-1][1] >= error_ns:  # never the best again
                self._bounds.pop()
            self._bounds.append((answered_ns, error_ns, offset_ns))

    @property
    def difference(self) -> ClockDifference | None:
        """The best estimate of late; None before the first answer."""
        with self._lock:
            if not self._bounds:
                return None
            _, error_ns, offset_ns = self._bounds[0]
        return ClockDifference(self._run, offset_ns, error_ns + ROUNDING_NS)
