"""How late an event of the page reaches each of many streams."""

import asyncio
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.fanout import follow
from bench.figure import Benchmark, Figure, Values, percentile
from tests.support.web_service import started

SECONDS = 12.0
STREAMS = (1_000, 5_000, 10_000, 20_000)
SPARE = 200
"""Descriptors that a process needs for something else than streams."""


def _measure(checkout: Path) -> Values:
    values: dict[str, float] = {}
    for streams in _possible(STREAMS):
        with (
            tempfile.TemporaryDirectory() as directory,
            started(Path(directory), "redis://127.0.0.1:1") as site,
        ):
            arrivals = asyncio.run(follow(site.web, streams, SECONDS, detailed=False))
        readings = arrivals.lateness_ms()
        late = [ms for reading in readings for ms in reading]
        values[f"{streams}:p99"] = percentile(late, 0.99)
        values[f"{streams}:share"] = 100 * len(late) / (streams * len(readings))
        values[f"cpu:{streams}:web"] = arrivals.cpu_s / SECONDS
    return values


def _possible(wanted: Sequence[int]) -> list[int]:
    """Those for which this process may have enough descriptors."""
    most = max(wanted) + SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        except (OSError, ValueError):
            most = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, max(most, hard)))
    return [streams for streams in wanted if streams + SPARE <= most]


def _figures() -> dict[str, Figure]:
    goals = {10_000: "≤ 200", 20_000: "≤ 500"}
    figures = {}
    for streams in STREAMS:
        text = f"{streams:,} streams"
        figures[f"{streams}:p99"] = Figure(
            f"{text}, p99 after the reading began", "ms", goals.get(streams, "")
        )
        figures[f"{streams}:share"] = Figure(f"{text}, events that arrived", "%", "100")
    return figures


BENCHMARK = Benchmark(
    "streams of one web process, clients on the same cores", _figures(), _measure, beside=False
)
