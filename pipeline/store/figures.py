"""What a store reports about its messages."""

from dataclasses import dataclass

HOPS = ("gateway", "consumer", "queue", "store")
"""The hops of a message: sent → gateway has it → arrival → dequeued by a worker → stored."""


HISTOGRAM_MS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 25.0, 50.0, 100.0, 1_000.0)
"""Upper bounds of a window's histogram, inclusive; one more bucket holds what is above the last.
The first holds negative transmission times, caused by two clocks that differ."""

LATE_NS = 1_000_000_000
"""A message whose transmission took longer than this counts as late: it waited, or was sent again."""

OFF_NS = 60_000_000_000
"""Transmission times further than this from the known clock difference are left out of a window's figures: a
single wrong clock, or a message that waited for minutes, would outweigh all others."""

NEWEST_RUNS = 8
"""Runs that ``Totals`` names one by one; all of them count in it."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of one run, all of it."""

    run: str
    stored: int
    highest: int
    first_arrived_ns: int
    last_arrived_ns: int
    late: int
    """Messages whose transmission took longer than ``LATE_NS``."""

    @property
    def missing(self) -> int:
        """Numbers from 0 to the highest that are not stored."""
        return self.highest + 1 - self.stored

    @property
    def is_filled(self) -> bool:
        """Whether at least half of its numbers are stored."""
        return 2 * self.stored > self.highest


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in the database, over all runs."""

    stored: int
    highest: int | None
    last_arrived_ns: int | None
    runs: tuple[RunFigures, ...]
    """The newest runs by first arrival, newest first, ``NEWEST_RUNS`` at most."""
    active: RunFigures | None = None
    """The run of the last stored message."""
    leading: RunFigures | None = None
    """Of the runs that hold at least half of their numbers, the one with the highest: a single message with
    an arbitrary number is none. None where no run does."""
    highest_run: str | None = None
    """The run that ``highest`` is of."""


@dataclass(frozen=True, slots=True)
class Window:
    """The messages that arrived in a range of time; None where there were none."""

    count: int
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    hops_ms: tuple[float | None, ...] = (None,) * len(HOPS)
    """Mean time of each of ``HOPS``."""
    histogram: tuple[int, ...] = (0,) * (len(HISTOGRAM_MS) + 1)
    """Messages by transmission time, see ``HISTOGRAM_MS``."""
    persist_ms: float | None = None
    """Mean time from the arrival until the job was sent to Redis: a part of the hop ``queue``."""
    left_out: int = 0
    """Messages beside ``count`` whose ``sent_ns`` is off by more than ``OFF_NS``; in no other figure."""
    last_early_ns: int | None = None
    """The last arrival of a message that arrived before it was sent."""
