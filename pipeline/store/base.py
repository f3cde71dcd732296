"""What a database must do for the pipeline, and promise."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence

from pipeline.message import Batch, ClockOffset
from pipeline.redact import without_credentials
from pipeline.store.figures import RunFigures, Totals, Window
from pipeline.store.written import StoredMessage, Written

MAX_EXAMINED = 2_000_000
"""``Store.holes`` examines at most this many stored numbers of a run, the highest."""


class StoreUnavailable(Exception):
    """The database can't be reached or can't do it now; the same call may succeed later.

    The reason is shown outside: it holds no path of this machine, and the credentials of a URL are removed.
    ``retry_after_s`` is the pause that the database asked for, if it did.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(without_credentials(reason))
        self.retry_after_s = retry_after_s


class MessageRejected(Exception):
    """The database will never accept this batch as it is; no retry can fix it."""


class Store(ABC):
    """A database of messages.

    A store may be used by one thread at a time; any number of stores, in any number of processes, may
    be open on the same database. Every method raises StoreUnavailable where the database can't be
    reached, and may be called again after that on the same object.
    """

    @abstractmethod
    def write(self, batches: Sequence[Batch]) -> Written:
        """Store ``batches``; when this returns all of them are durable.

        Idempotent: writing a batch again, as a whole or in pieces, adds nothing and counts nothing
        twice. Batches may be late, with old arrival times, and in any order. Returns for each batch what
        was added, and what can't be since another job brought it; writing it again repeats the latter.

        Raises:
            MessageRejected: the database rejects some of the data itself; the rest may or may not be stored.
        """

    @abstractmethod
    def record_stored(self, batch_ids: Collection[str], stored_ns: int) -> None:
        """Record when the batches of the last ``write`` were stored, unless it is recorded already.

        It need not be durable when this returns: the messages themselves are.
        """

    @abstractmethod
    def totals(self, *, recount: bool = False) -> Totals:
        """The totals over all runs, and the newest runs.

        The cost depends on what changed since the last call, not on what is stored, except for the first
        call. ``recount`` counts everything again: after an outage it may be another database.
        """

    @abstractmethod
    def window(self, after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset] | None = None) -> Window:
        """The messages with ``after_ns`` < arrival ≤ ``until_ns``.

        Messages whose transmission time is more than ``OFF_NS`` from their sender's known clock offset
        (``clocks``, by run; 0 for others) are counted in ``left_out`` and in no other figure.

        The cost depends on that range alone. Percentiles are by nearest rank: the smallest value
        that at least that share of the values does not exceed.
        """

    @abstractmethod
    def holes(self, run: str, limit: int) -> Sequence[tuple[int, int]]:
        """Ranges of numbers from 0 to the run's highest that are not stored, both ends included.

        The ``limit`` highest ranges, in falling order. The cost grows with what is stored of the run, up to
        ``MAX_EXAMINED`` messages (InfluxDB: 200,000); what is below those is not examined.
        """

    @abstractmethod
    def message(self, run: str, number: int) -> StoredMessage | None:
        """One message; None where it is not stored."""

    @abstractmethod
    def run(self, name: str) -> RunFigures | None:
        """The figures of one run; None where none of it is stored."""

    @abstractmethod
    def runs(self, limit: int) -> Sequence[RunFigures]:
        """The runs with the most recently stored messages, by last arrival, newest first. A store may know
        the figures of the 1,000 newest alone; ``run`` has those of any."""

    @abstractmethod
    def delete_run(self, run: str) -> Iterator[int]:
        """Delete a run with its messages and figures, step by step: yields how many messages each deleted.

        A step is durable when its number is yielded. Ended half-way, the rest
        stays and is counted; calling it again deletes it. Raises StoreUnavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """Close connections and files. Safe to call twice."""
