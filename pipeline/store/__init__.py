"""The database: one small interface, an adapter for SQLite and one for InfluxDB 2."""

from pipeline.settings import Settings
from pipeline.store.base import MessageRejected, Store, StoreUnavailable
from pipeline.store.figures import HISTOGRAM_MS, HOPS, LATE_NS, NEWEST_RUNS, RunFigures, Totals, Window
from pipeline.store.written import StoredMessage, Written, WrittenBatch

__all__ = [
    "HISTOGRAM_MS",
    "HOPS",
    "LATE_NS",
    "NEWEST_RUNS",
    "MessageRejected",
    "RunFigures",
    "Store",
    "StoreUnavailable",
    "StoredMessage",
    "Totals",
    "Window",
    "Written",
    "WrittenBatch",
    "open_store",
]


def open_store(settings: Settings) -> Store:
    """The store that ``settings.store`` names. Opening touches neither network nor disk."""
    if settings.store == "influxdb":
        from pipeline.store.influx import InfluxStore  # not needed beside SQLite

        return InfluxStore(settings.influx)
    from pipeline.store.sqlite import SqliteStore  # not needed beside InfluxDB

    return SqliteStore(settings.sqlite_path)
