"""What the service reads from the store."""

from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.store import Store, Totals, Window

WINDOW_S = 10
"""The stretch of time that averages and percentiles are about."""


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """The store at one moment: its totals, and the messages of the last ``WINDOW_S``."""

    totals: Totals
    window: Window


class Database:
    """Reads ``store`` again and again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed = False

    def read(self, at_ns: int) -> DatabaseReading:
        """The store as it is now, and its window that ends at ``at_ns``.

        Raises:
            StoreUnavailable: it can't be read now.
        """
        recount, self._failed = self._failed, True
        totals = self._store.totals(recount=recount)
        window = self._store.window(at_ns - WINDOW_S * NS_PER_S, at_ns)
        self._failed = False
        return DatabaseReading(totals, window)
