"""Rate limits: a token bucket per key."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_KEYS = 10_000
"""Maximum number of keys; the least recently used are dropped first."""


class Throttle:
    """Allows each key ``burst`` at once and ``per_minute`` over time. For one thread."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when

    def acquire(self, key: str, count: int = 1) -> float:
        """Acquire ``count`` tokens of ``key``: 0 if available, else the seconds until they are."""
        now_s = self._clock()
        left, since_s = self._left.pop(key, (float(self._burst), now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        allowed = count <= left
        self._left[key] = (left - count if allowed else left, now_s)
        if len(self._left) > MAX_KEYS:
            self._left.popitem(last=False)
        return 0.0 if allowed else (count - left) / self._per_s
