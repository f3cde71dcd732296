"""How far the consumer's clock is from this one, estimated from the responses to its messages.

As NTP does (RFC 5905, section 8), but with one timestamp of the other side: the arrival that the consumer
stamped between the sending of a request and its response bounds the offset from both sides. The quickest
recent round trip gives the closest bounds.
"""

import threading
from collections import deque

from pipeline.clock import NS_PER_S, NS_PER_US
from pipeline.message import ClockOffset

MEMORY_NS = 60 * NS_PER_S
"""Clocks drift, so older samples are dropped."""

ROUNDING_NS = NS_PER_US
"""Responses give arrivals in whole microseconds."""


class ClockOffsetEstimator:
    """The estimate for the messages of ``run``. Thread-safe."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._bounds: deque[tuple[int, int, int]] = deque()  # time of the sample, half its round trip, offset

    def add_sample(self, left_ns: int, arrived_ns: int, answered_ns: int) -> None:
        """Times of sending and of the response by this clock, of the arrival by the consumer's."""
        error_ns = (answered_ns - left_ns) // 2
        if error_ns < 0:  # this clock was set back meanwhile
            return
        offset_ns = arrived_ns - (left_ns + error_ns)
        with self._lock:
            if self._bounds and self._bounds[-1][0] > answered_ns + NS_PER_S:  # this clock was set back
                self._bounds.clear()
            while self._bounds and self._bounds[0][0] < answered_ns - MEMORY_NS:
                self._bounds.popleft()
            while self._bounds and self._bounds[-1][1] >= error_ns:  # never the best any more
                self._bounds.pop()
            self._bounds.append((answered_ns, error_ns, offset_ns))

    @property
    def estimate(self) -> ClockOffset | None:
        """The best recent estimate; None before the first response."""
        with self._lock:
            if not self._bounds:
                return None
            _, error_ns, offset_ns = self._bounds[0]
        return ClockOffset(self._run, offset_ns, error_ns + ROUNDING_NS)
