"""What the service reads from the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.clock import NS_PER_S
from pipeline.message import ClockOffset
from pipeline.store import Store, Totals, Window
from web.gate import Gate

WINDOW_S = 10
"""Averages and percentiles cover the messages that arrived in this many seconds."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """What a reading asks for."""

    at_ns: int
    """The end of the window, Unix ns."""
    clock_offsets: Mapping[str, ClockOffset] = field(default_factory=dict)
    """How far senders' clocks are known to be off, by run."""
    queue_read: Gate | None = None
    """Opens when Redis has been read: totals are read after that (``web.ledger``), the window meanwhile."""


@dataclass(frozen=True, slots=True)
class StoreSample:
    """The store at one moment: its totals, and the messages of the last ``WINDOW_S``."""

    totals: Totals
    window: Window


class StoreReader:
    """Reads ``store`` once a tick."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed = False

    def read(self, request: StoreRequest) -> StoreSample:
        """The store as it is now, with the window that ends at ``request.at_ns``.

        After a failure everything is counted again: the database may be another one by then.

        Raises:
            StoreUnavailable: it can't be read now.
        """
        recount, self._failed = self._failed, True
        after_ns = request.at_ns - WINDOW_S * NS_PER_S
        window = self._store.window(after_ns, request.at_ns, request.clock_offsets)
        if request.queue_read:
            request.queue_read.wait()
        totals = self._store.totals(recount=recount)
        self._failed = False
        return StoreSample(totals, window)
