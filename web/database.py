"""What the service reads from the store."""

from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.store import Cursor, Store, StoreUnavailable, Window
from web.figures import Figures, Totals

WINDOW_S = 10
"""The stretch of time that averages and percentiles are about."""


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """The store at one moment: its totals, and the messages of the last ``WINDOW_S``."""

    totals: Totals
    window: Window


class Database:
    """Reads ``store`` again and again, each time only what is new."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cursor: Cursor | None = None
        self._figures = Figures()

    def read(self, at_ns: int) -> DatabaseReading:
        """The store as it is now, and its window that ends at ``at_ns``.

        Raises:
            StoreUnavailable: it can't be read now.
        """
        try:
            changed, cursor = self._store.changes(self._cursor)
            window = self._store.window(at_ns - WINDOW_S * NS_PER_S, at_ns)
        except StoreUnavailable:
            # What comes back may be another database, restored or made anew: read all of it.
            self._cursor, self._figures = None, Figures()
            raise
        self._cursor = cursor
        return DatabaseReading(self._figures.update(changed), window)
