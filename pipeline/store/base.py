"""What a database must do for the pipeline, and promise."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.message import Batch

HOPS = ("gateway", "consumer", "queue", "store")
"""The hops of a message: sent → gateway has it → arrival → taken by a worker → stored."""


HISTOGRAM_MS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 25.0, 50.0, 100.0, 1_000.0)
"""Upper bounds of a window's histogram, inclusive; one more bucket holds what is above the last.
The first holds negative transmission times, of two clocks that differ."""

LATE_NS = 1_000_000_000
"""A message whose transmission took longer than this counts as late: it waited or was sent again."""


class StoreUnavailable(Exception):
    """The database can't be reached or can't do it now; the same call may succeed later.

    ``retry_after_s`` is what the database itself asked for, where it did.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class MessageRejected(Exception):
    """The database will never take this batch as it is; no retry can mend it."""


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


@dataclass(frozen=True, slots=True)
class Window:
    """The messages that arrived in a stretch of time; None where there were none."""

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


Cursor = object
"""Where a reader stands in a store's history; only the store that gave it can read it."""


class Store(ABC):
    """A database of messages.

    A store may be used by one thread at a time; any number of stores, in any number of processes, may
    be open on the same database. Every method raises StoreUnavailable where the database can't be
    reached, and may be called again after that on the same object.
    """

    @abstractmethod
    def write(self, batches: Sequence[Batch]) -> None:
        """Store ``batches``; when this returns all of them are durable.

        Idempotent: writing a batch again, as a whole or in parts, adds nothing and counts nothing
        twice. Batches may come late, with old arrival times, and in any order.

        Raises:
            MessageRejected: the database refuses some of the data itself; any part may be stored.
        """

    @abstractmethod
    def changes(self, cursor: Cursor | None) -> tuple[Sequence[RunFigures], Cursor]:
        """The figures of all runs that changed since ``cursor`` (None: of every run), and a new cursor.

        The cost depends on what changed, not on what is stored, but for the first call.
        """

    @abstractmethod
    def window(self, after_ns: int, until_ns: int) -> Window:
        """The messages with ``after_ns`` < arrival ≤ ``until_ns``.

        The cost depends on that stretch alone. Percentiles are by nearest rank: the smallest value
        that at least that share of the values does not exceed.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and files. Safe to call twice."""
