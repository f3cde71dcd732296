"""The default traffic, ten messages a second: how exact its bursts are, and what the system costs."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from bench.bursts import NS_PER_MS, Sent, measurements
from bench.figure import Benchmark, Figure, Values, percentile
from bench.system import System, running, shares

SETTLED_S = 10.0
SECONDS = 60.0
HOUR_S = 3600.0

_MESSAGES = """
SELECT number, sent_ns, arrived_ns, stored_ns FROM message JOIN batch ON batch.id = message.batch
WHERE arrived_ns BETWEEN ? AND ? AND stored_ns IS NOT NULL ORDER BY number
"""


def measure(
    checkout: Path, settings: Mapping[str, str] = MappingProxyType({}), seconds: float = SECONDS
) -> Values:
    """One run, with these settings of the system."""
    with running(checkout, **settings) as system:
        time.sleep(SETTLED_S)
        began_ns, began_s, used = time.time_ns(), time.monotonic(), system.cpu_s()
        time.sleep(seconds)
        took_s = time.monotonic() - began_s
        usage = shares(used, system.cpu_s(), took_s)
        messages, stored_ms = _messages(system, began_ns, time.time_ns())
        pss_mb = system.pss_mb()
    found = measurements(messages, size=10, rate=1.0)
    return {
        "transmission": sum(found.transmissions_ms) / len(messages),
        "transmission:p99": percentile(found.transmissions_ms, 0.99),
        "span:p99": percentile(found.arrival_spans_ms, 0.99),
        "start:p99": percentile(found.offsets_ms, 0.99),
        "stored:p50": percentile(stored_ms, 0.5),
        "stored:p99.9": percentile(stored_ms, 0.999),
        "memory": pss_mb,
        "cpu": 100 * sum(usage.values()),
        **usage,
    }


def _messages(system: System, after_ns: int, until_ns: int) -> tuple[list[Sent], list[float]]:
    """The messages of whole bursts, and how long each took from sent to stored, ms."""
    with closing(sqlite3.connect(f"file:{system.database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(_MESSAGES, (after_ns, until_ns - 500_000_000)).fetchall()
    first = next(index for index, row in enumerate(rows) if row[0] % 10 == 0)
    rows = rows[first : first + (len(rows) - first) // 10 * 10]
    return [Sent(*row[:3]) for row in rows], [(row[3] - row[1]) / NS_PER_MS for row in rows]


_FIGURES = {
    "transmission": Figure("sent → arrival, mean", "ms", "≤ 2.5"),
    "transmission:p99": Figure("sent → arrival, p99", "ms", "≤ 8"),
    "span:p99": Figure("a burst's arrivals, first to last, p99", "ms", "≤ 8"),
    "start:p99": Figure("a burst's start after the whole second, p99", "ms", "≤ 1"),
    "stored:p50": Figure("sent → stored, p50", "ms", "≤ 10"),
    "stored:p99.9": Figure("sent → stored, p99.9", "ms", "≤ 50"),
    "memory": Figure("memory of all processes (PSS)", "MB", "≤ 220"),
    "cpu": Figure("processor time, of one core", "%", "≤ 8"),
}
BENCHMARK = Benchmark(f"ten messages a second for {SECONDS:.0f} s", _FIGURES, measure)
HOUR = Benchmark(
    "the same for an hour, measured only where it is named",
    _FIGURES,
    lambda checkout: measure(checkout, seconds=HOUR_S),
    by_default=False,
)
