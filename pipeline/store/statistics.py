"""Percentiles and histograms of values in rising order."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from pipeline.store.figures import HISTOGRAM_MS


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of all do not exceed; None where there is none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def histogram(ordered_ms: Sequence[float]) -> tuple[int, ...]:
    """How many values lie in each bucket of ``HISTOGRAM_MS``."""
    below = [bisect_right(ordered_ms, bound) for bound in HISTOGRAM_MS]
    return tuple(upper - lower for lower, upper in pairwise([0, *below, len(ordered_ms)]))
