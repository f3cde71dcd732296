"""Batches of 1,000 messages by HTTP, until all of them are stored."""

import shutil
import time
from pathlib import Path

from bench.connections import STORED_S
from bench.figure import Benchmark, Figure, Values
from bench.system import System, running, shares
from bench.wrk import SECONDS, post
from tests.support.waiting import until

BATCH = 1_000
CONNECTIONS = 8


def _measure(checkout: Path) -> Values:
    stores = ["sqlite", *(["influxdb"] if shutil.which("influxd") else [])]
    return {name: value for store in stores for name, value in _store(checkout, store).items()}


def _store(checkout: Path, store: str) -> Values:
    with running(checkout, FIZZBUZZ_RATE="0", FIZZBUZZ_STORE=store) as system:
        began_s, used = time.monotonic(), system.cpu_s()
        accepted = post(system.gateway_url, CONNECTIONS, BATCH)["rate"] * SECONDS * BATCH
        until(lambda: _stored(system) >= accepted, within_s=STORED_S, what="not stored")
        took_s = time.monotonic() - began_s
        usage = shares(used, system.cpu_s(), took_s, store)
        return {store: _stored(system) / took_s, f"{store}:accepted": accepted / SECONDS, **usage}


def _stored(system: System) -> int:
    """What the page reads once a second."""
    return int(system.stats()["stored_total"] or 0)


BENCHMARK = Benchmark(
    f"batches of {BATCH:,} over {CONNECTIONS} connections (wrk), until all are stored",
    {
        "sqlite": Figure("batches of 1,000, HTTP to stored, SQLite", "/s", "≥ 100,000"),
        "sqlite:accepted": Figure("the same, accepted", "/s"),
        "influxdb": Figure("batches of 1,000, HTTP to stored, InfluxDB", "/s", "≥ 80,000"),
        "influxdb:accepted": Figure("the same, accepted", "/s"),
    },
    _measure,
)
