"""How late an event of the page reaches each of many streams."""

import tempfile
from pathlib import Path

from bench.fanout import follow, processes_for, service
from bench.figure import Benchmark, Figure, Values, percentile

SECONDS = 12.0
STREAMS = (1_000, 5_000, 10_000, 20_000)


def measure(streams: int, ca: Path | None = None, **settings: str) -> tuple[float, float, float]:
    """How late an event was at p99, ms; how many of the events arrived, %; processors that the service used.

    Args:
        ca: what verifies the service; None: no TLS.
        settings: further ones of the service.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        service(Path(directory), processes_for(streams), **settings) as web,
    ):
        found = follow(web, streams, SECONDS, detailed=False, ca=ca)
    late = [ms for reading in found.readings for ms in reading]
    share = 100 * len(late) / (streams * len(found.readings))
    return percentile(late, 0.99), share, found.cpu_s / SECONDS


def _measure(checkout: Path) -> Values:
    values: dict[str, float] = {}
    for streams in STREAMS:
        p99, share, usage = measure(streams)
        values |= {f"{streams}:p99": p99, f"{streams}:share": share, f"cpu:{streams}:web": usage}
    return values


def _figures() -> dict[str, Figure]:
    goals = {10_000: "≤ 200", 20_000: "≤ 500"}
    figures = {}
    for streams in STREAMS:
        processes = processes_for(streams)
        text = f"{streams:,} streams" + (f" of {processes} processes" if processes > 1 else "")
        figures[f"{streams}:p99"] = Figure(
            f"{text}, p99 after the reading began", "ms", goals.get(streams, "")
        )
        figures[f"{streams}:share"] = Figure(f"{text}, events that arrived", "%", "100")
    return figures


BENCHMARK = Benchmark(
    "streams of a web service, one process for each 10,000, clients on the same cores",
    _figures(),
    _measure,
    beside=False,
)
