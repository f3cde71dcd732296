"""Both stores side by side: how fast they write, and what a reader's tick costs at 10^4 to 10^7 messages.

    python -m bench.stores [--sizes 10000 1000000 10000000] [--stores sqlite influxdb]

InfluxDB is the server of INFLUXDB_URL and INFLUXDB_TOKEN, else the `influxd` on PATH, started for the run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import Arrival, Batch, Message
from pipeline.store import Cursor, Store
from pipeline.store.influx import InfluxStore
from pipeline.store.sqlite import SqliteStore
from tests import influxdb

BATCH = 1_000
BATCHES_A_WRITE = 5
TICKS = 20
QUIET_S = 25.0
"""After filling: a reader looks back 20 s, and its tick is to be that of a quiet system, not of the load."""

SPACING_NS = NS_PER_MS
"""Between two arrivals: a thousand messages a second."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--stores", nargs="+", default=["sqlite", "influxdb"])
    arguments = parser.parse_args()
    columns = f"{'store':9} {'messages':>10} {'writes/s':>9} {'10-message write':>17}"
    print(f"{columns} {'first reading':>14} {'tick':>9}")
    with tempfile.TemporaryDirectory() as directory:
        for name in arguments.stores:
            with _STORES[name](Path(directory) / name) as open_store:
                measure(name, open_store, arguments.sizes)


def measure(name: str, open_store: Callable[[], Store], sizes: list[int]) -> None:
    """Fill one store step by step, and print a line at each size."""
    writer, reader = open_store(), open_store()
    filler = _Filler(writer)
    for size in sizes:
        rate = filler.fill(size)
        time.sleep(QUIET_S)
        small_ms = statistics.median(filler.write_ms(10) for _ in range(TICKS))
        started = time.perf_counter()
        _, cursor = reader.changes(None)
        first_ms = (time.perf_counter() - started) * 1e3
        tick_ms = statistics.median(_ticks(filler, reader, cursor))
        line = f"{rate:9,.0f} {small_ms:14.2f} ms {first_ms:11.1f} ms {tick_ms:6.2f} ms"
        print(f"{name:9} {size:10,} {line}", flush=True)
    writer.close()
    reader.close()


class _Filler:
    """Writes messages that arrive one after the other, up to now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._number = 0
        self._arrived_ns = time.time_ns() - 4 * 3_600 * NS_PER_S

    def fill(self, size: int) -> float:
        """Go on until there are ``size`` messages; messages a second."""
        first, started = self._number, time.perf_counter()
        while self._number < size:
            self._store.write([self._batch(BATCH) for _ in range(BATCHES_A_WRITE)])
        return (self._number - first) / (time.perf_counter() - started)

    def write_ms(self, count: int) -> float:
        batch = self._batch(count)
        started = time.perf_counter()
        self._store.write([batch])
        return (time.perf_counter() - started) * 1e3

    @property
    def arrived_ns(self) -> int:
        return self._arrived_ns

    def _batch(self, count: int) -> Batch:
        arrivals = tuple(self._next() for _ in range(count))
        moment = arrivals[-1].arrived_ns
        return Batch(f"job-{self._number}", "consumer", "worker", moment, moment, arrivals)

    def _next(self) -> Arrival:
        sent_ns = self._arrived_ns + SPACING_NS - 3 * NS_PER_MS
        message = Message("bench", self._number, sent_ns, sent_ns + NS_PER_MS)
        self._number += 1
        self._arrived_ns += SPACING_NS
        return Arrival(message, self._arrived_ns)


def _ticks(filler: _Filler, reader: Store, cursor: Cursor) -> Iterator[float]:
    """What a reader does once a second, with 100 messages in its window, after a burst of ten came."""
    for _ in range(TICKS):
        filler.write_ms(10)
        started = time.perf_counter()
        _, cursor = reader.changes(cursor)
        reader.window(filler.arrived_ns - 100 * SPACING_NS, filler.arrived_ns)
        yield (time.perf_counter() - started) * 1e3


@contextmanager
def _sqlite(directory: Path) -> Iterator[Callable[[], Store]]:
    yield lambda: SqliteStore(directory / "messages.db")


@contextmanager
def _influxdb(directory: Path) -> Iterator[Callable[[], Store]]:
    server = influxdb.start(directory)
    settings = server.new_bucket()
    try:
        yield lambda: InfluxStore(settings)
    finally:
        server.stop()


_STORES = {"sqlite": _sqlite, "influxdb": _influxdb}

if __name__ == "__main__":
    main()
