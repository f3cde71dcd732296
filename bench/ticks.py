"""What a reader's tick takes with 10⁴ and with 10⁷ messages stored."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.figure import Benchmark, Figure, Values
from bench.stores import QUIET_S, STORES, TRAFFIC, Filler, ticks

SIZES = {"1e4": 10_000, "1e7": 10_000_000}


def _measure(checkout: Path) -> Values:
    values: dict[str, float] = {}
    for store in ("sqlite", *(["influxdb"] if shutil.which("influxd") else [])):
        with tempfile.TemporaryDirectory() as directory, STORES[store](Path(directory)) as opened:
            writer, reader = opened(), opened()
            filler = Filler(writer, TRAFFIC["large"])
            for name, size in SIZES.items():
                filler.fill(size)
                time.sleep(QUIET_S)
                reader.totals()
                values[f"{store}:{name}"] = statistics.median(ticks(filler, reader))
            values[f"{store}:ratio"] = values[f"{store}:1e7"] / values[f"{store}:1e4"]
            writer.close()
            reader.close()
    return values


BENCHMARK = Benchmark(
    "a reader's tick with 10⁴ and 10⁷ messages stored",
    {
        "sqlite:1e4": Figure("SQLite, a tick at 10⁴", "ms"),
        "sqlite:1e7": Figure("SQLite, a tick at 10⁷", "ms"),
        "sqlite:ratio": Figure("SQLite, 10⁷ to 10⁴", "×", "≤ 1.2"),
        "influxdb:1e4": Figure("InfluxDB, a tick at 10⁴", "ms"),
        "influxdb:1e7": Figure("InfluxDB, a tick at 10⁷", "ms", "≤ 25"),
        "influxdb:ratio": Figure("InfluxDB, 10⁷ to 10⁴", "×", "≤ 1.2"),
    },
    _measure,
    beside=False,
)
