"""Both stores side by side: how fast they write, and what a reader's tick costs at 10^4 to 10^7 messages.

    python -m bench.stores [--sizes 10000 1000000 10000000] [--stores sqlite influxdb] [--batches large day]

``large``: batches of 1,000 messages, a thousand messages a second. ``day``: 24 hours of the default traffic,
864,000 messages in some 330,000 batches of two to four, as bursts of ten produce them.

InfluxDB is the server of INFLUXDB_URL and INFLUXDB_TOKEN, else the `influxd` on PATH, started for the run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import Arrival, Batch, Message
from pipeline.store import Store
from pipeline.store.influx import InfluxStore
from pipeline.store.sqlite import SqliteStore
from tests.support import influxdb

TICKS = 20
QUIET_S = 25.0
"""After filling: a reader reads the last 20 s, and its tick should be that of an idle system."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How messages arrive."""

    batches: tuple[int, ...]
    """Messages in a batch; the sizes repeat in this order."""
    batches_per_write: int
    spacing_ns: int
    """Between two arrivals."""
    since_ns: int
    """How long before now the first one arrives."""


TRAFFIC = {
    "large": Traffic((1_000,), 5, NS_PER_MS, 4 * 3_600 * NS_PER_S),
    "day": Traffic((3, 3, 2, 2, 4, 3, 2, 2), 500, 100 * NS_PER_MS, 86_400 * NS_PER_S),
}
DAY_MESSAGES = 864_000


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--stores", nargs="+", default=["sqlite", "influxdb"])
    parser.add_argument("--batches", nargs="+", choices=TRAFFIC, default=list(TRAFFIC))
    arguments = parser.parse_args()
    columns = f"{'store':9} {'batches':7} {'messages':>10} {'writes/s':>9} {'10-message write':>17}"
    print(f"{columns} {'first reading':>14} {'tick':>9} {'longest':>10}")
    with tempfile.TemporaryDirectory() as directory:
        for name, batches in product(arguments.stores, arguments.batches):
            sizes = [DAY_MESSAGES] if batches == "day" else arguments.sizes
            with STORES[name](Path(directory) / f"{name}-{batches}") as open_store:
                measure(f"{name:9} {batches:7}", open_store, TRAFFIC[batches], sizes)


def measure(name: str, open_store: Callable[[], Store], traffic: Traffic, sizes: list[int]) -> None:
    """Fill one store step by step, and print a line at each size."""
    writer, reader = open_store(), open_store()
    filler = Filler(writer, traffic)
    for size in sizes:
        rate = filler.fill(size)
        time.sleep(QUIET_S)
        small_ms = statistics.median(filler.write_ms(10) for _ in range(TICKS))
        started = time.perf_counter()
        reader.totals()
        first_ms = (time.perf_counter() - started) * 1e3
        ticks_ms = list(ticks(filler, reader))
        tick_ms = f"{statistics.median(ticks_ms):6.2f} ms {max(ticks_ms):7.2f} ms"
        line = f"{rate:9,.0f} {small_ms:14.2f} ms {first_ms:11.1f} ms {tick_ms}"
        print(f"{name} {size:10,} {line}", flush=True)
    writer.close()
    reader.close()


class Filler:
    """Writes messages that arrive one after the other, up to the present."""

    def __init__(self, store: Store, traffic: Traffic) -> None:
        self._store = store
        self._sizes = cycle(traffic.batches)
        self._batches_per_write = traffic.batches_per_write
        self._number = 0
        self.spacing_ns = traffic.spacing_ns
        self.arrived_ns = time.time_ns() - traffic.since_ns
        """When the newest message arrived."""

    def fill(self, size: int) -> float:
        """Write until there are ``size`` messages; returns messages per second."""
        first, started = self._number, time.perf_counter()
        while self._number < size:
            self._write([self._batch(next(self._sizes)) for _ in range(self._batches_per_write)])
        return (self._number - first) / (time.perf_counter() - started)

    def write_ms(self, count: int) -> float:
        batch = self._batch(count)
        started = time.perf_counter()
        self._write([batch])
        return (time.perf_counter() - started) * 1e3

    def _write(self, batches: list[Batch]) -> None:
        """As a worker does it."""
        self._store.write(batches)
        self._store.record_stored([batch.id for batch in batches], time.time_ns())

    def _batch(self, count: int) -> Batch:
        arrivals = tuple(self._next() for _ in range(count))
        moment = arrivals[-1].arrived_ns
        return Batch(f"job-{self._number}", "consumer", "worker", moment, moment, arrivals)

    def _next(self) -> Arrival:
        self.arrived_ns += self.spacing_ns
        sent_ns = self.arrived_ns - 3 * NS_PER_MS
        message = Message("bench", self._number, sent_ns, sent_ns + NS_PER_MS)
        self._number += 1
        return Arrival(message, self.arrived_ns)


def ticks(filler: Filler, reader: Store) -> Iterator[float]:
    """What a reader does once a second, with 100 messages in its window, after a burst of ten arrived."""
    for _ in range(TICKS):
        filler.write_ms(10)
        started = time.perf_counter()
        reader.totals()
        reader.window(filler.arrived_ns - 100 * filler.spacing_ns, filler.arrived_ns)
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


STORES = {"sqlite": _sqlite, "influxdb": _influxdb}

if __name__ == "__main__":
    main()
