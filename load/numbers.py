"""Sets of message numbers, as intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

KEPT_INTERVALS = 1_000
"""Intervals that a set remembers; its count is exact whatever their number."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many numbers a set holds, and its first intervals, both ends inclusive."""

    count: int = 0
    intervals: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, rising: Iterable[int], kept: int = KEPT_INTERVALS) -> "Numbers":
        """The set of ``rising`` numbers, each at most once."""
        count = 0
        intervals: list[tuple[int, int]] = []
        for number in rising:
            count += 1
            if intervals and number == intervals[-1][1] + 1:
                intervals[-1] = (intervals[-1][0], number)
            elif len(intervals) < kept:
                intervals.append((number, number))
        return cls(count, tuple(intervals))

    @property
    def listed(self) -> int:
        """How many of the numbers are in ``intervals``."""
        return sum(last - first + 1 for first, last in self.intervals)

    def text(self, most: int = 8) -> str:
        """Human-readable, such as ``3, 7–9 … 120 more``."""
        shown = self.intervals[:most]
        words = ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in shown)
        rest = self.count - sum(last - first + 1 for first, last in shown)
        return words + (f" … {rest:,} more" if rest else "")
