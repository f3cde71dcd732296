"""What the service reads from the store."""

from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.store import Store, Totals, Window

WINDOW_S = 10
"""Averages and percentiles cover the messages that arrived in this many seconds."""


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

    def read(self, at_ns: int) -> StoreSample:
        """The store as it is now, with the window that ends at ``at_ns`` (Unix ns).

        After a failure everything is counted again: the database may be another one by then.

        Raises:
            StoreUnavailable: it can't be read now.
        """
        recount, self._failed = self._failed, True
        totals = self._store.totals(recount=recount)
        window = self._store.window(at_ns - WINDOW_S * NS_PER_S, at_ns)
        self._failed = False
        return StoreSample(totals, window)
