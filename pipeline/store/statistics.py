"""Percentiles and histograms of transmission times in rising order, and which times are far off."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.message import ClockOffset
from pipeline.store.figures import HISTOGRAM_MS, OFF_NS, Window


def known_offsets(clocks: Mapping[str, ClockOffset]) -> dict[str, int]:
    """The clock offsets that are larger than their error, ns, by run."""
    return {run: clock.offset_ns for run, clock in clocks.items() if abs(clock.offset_ns) > clock.error_ns}


def may_be_far(lowest_ns: float, highest_ns: float, offsets_ns: Mapping[str, int]) -> bool:
    """Whether a transmission time between these may be further than ``OFF_NS`` from its run's clock offset.

    It seldom is, and then the store need not check each message.
    """
    margin_ns = OFF_NS - max(map(abs, offsets_ns.values()), default=0)
    return lowest_ns < -margin_ns or highest_ns > margin_ns


def window(ordered_ms: Sequence[float]) -> Window:
    """The window of messages with these transmission times; what else is known of them is to be added."""
    p50, p95, p99, most = (nearest_rank(ordered_ms, share) for share in (0.50, 0.95, 0.99, 1.0))
    mean = sum(ordered_ms) / len(ordered_ms) if ordered_ms else None
    return Window(len(ordered_ms), mean, p50, p95, p99, most, histogram=histogram(ordered_ms))


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of all do not exceed; None where there is none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def histogram(ordered_ms: Sequence[float]) -> tuple[int, ...]:
    """How many values are in each bucket of ``HISTOGRAM_MS``."""
    below = [bisect_right(ordered_ms, bound) for bound in HISTOGRAM_MS]
    return tuple(upper - lower for lower, upper in pairwise([0, *below, len(ordered_ms)]))
