"""What a database must do for the pipeline, and promise."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from pipeline.message import Batch, ClockOffset
from pipeline.redact import without_credentials
from pipeline.store.figures import HISTOGRAM_MS, HOPS, LATE_NS, RunFigures, Totals, Window
from pipeline.store.run_totals import RunTotals

__all__ = [
    "HISTOGRAM_MS",
    "HOPS",
    "LATE_NS",
    "Cursor",
    "MessageRejected",
    "RunFigures",
    "Store",
    "StoreUnavailable",
    "Totals",
    "Window",
]


class StoreUnavailable(Exception):
    """The database can't be reached or can't do it now; the same call may succeed later.

    The reason is shown outside: it holds no path of this machine, and the credentials of a URL are removed.
    ``retry_after_s`` is the pause that the database asked for, if it did.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(without_credentials(reason))
        self.retry_after_s = retry_after_s


class MessageRejected(Exception):
    """The database will never take this batch as it is; no retry can fix it."""


Cursor = object
"""A reader's position in a store's history; only the store that returned it can read it."""


class Store(ABC):
    """A database of messages.

    A store may be used by one thread at a time; any number of stores, in any number of processes, may
    be open on the same database. Every method raises StoreUnavailable where the database can't be
    reached, and may be called again after that on the same object.
    """

    _running: RunTotals | None = None

    @abstractmethod
    def write(self, batches: Sequence[Batch]) -> None:
        """Store ``batches``; when this returns all of them are durable.

        Idempotent: writing a batch again, as a whole or in pieces, adds nothing and counts nothing
        twice. Batches may be late, with old arrival times, and in any order.

        Raises:
            MessageRejected: the database rejects some of the data itself; the rest may or may not be stored.
        """

    @abstractmethod
    def changes(self, cursor: Cursor | None) -> tuple[Sequence[RunFigures], Cursor]:
        """The figures of all runs that changed since ``cursor`` (None: of every run), and a new cursor.

        The cost depends on what changed, not on what is stored, except for the first call.
        """

    def totals(self, *, recount: bool = False) -> Totals:
        """The totals over all runs, and the newest runs.

        ``recount`` counts everything again: after an outage it may be another database. A store that
        keeps totals in the database itself overrides this; it then costs the same however much is
        stored. This implementation maintains them from ``changes``.
        """
        running, self._running = self._running, None  # what fails is counted again by the next call
        totals = running.read() if running and not recount else None
        if running is None or totals is None or running.is_recount_due:
            running = RunTotals(self.changes)
            totals = running.read()
        self._running = running
        return totals

    @abstractmethod
    def window(self, after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset] | None = None) -> Window:
        """The messages with ``after_ns`` < arrival ≤ ``until_ns``.

        Messages whose transmission time is more than ``OFF_NS`` from their sender's known clock offset
        (``clocks``, by run; 0 for others) are counted in ``left_out`` and in no other figure.

        The cost depends on that range alone. Percentiles are by nearest rank: the smallest value
        that at least that share of the values does not exceed.
        """

    @abstractmethod
    def close(self) -> None:
        """Close connections and files. Safe to call twice."""
