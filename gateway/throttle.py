"""Limits how often something may happen, for each of many keys (a token bucket each)."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_KEYS = 10_000
"""Keys that are remembered; those not seen for the longest time are forgotten first."""


class Throttle:
    """Lets each key have ``burst`` at once and ``per_minute`` over time. For one thread."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many are left, and when

    def take(self, key: str, count: int = 1) -> float:
        """Take ``count`` for ``key``: 0 where there were so many, else the seconds until there are."""
        now_s = self._clock()
        left, since_s = self._left.pop(key, (float(self._burst), now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        allowed = count <= left
        self._left[key] = (left - count if allowed else left, now_s)
        if len(self._left) > MAX_KEYS:
            self._left.popitem(last=False)
        return 0.0 if allowed else (count - left) / self._per_s
