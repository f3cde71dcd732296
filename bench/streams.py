"""How late an event of the page reaches each of many streams."""

import tempfile
from pathlib import Path

from bench.fanout import follow, processes_for, service
from bench.figure import Benchmark, Figure, Values, percentile

SECONDS = 12.0
STREAMS = (1_000, 5_000, 10_000, 20_000)


def _measure(checkout: Path) -> Values:
    values: dict[str, float] = {}
    for streams in STREAMS:
        with (
            tempfile.TemporaryDirectory() as directory,
            service(Path(directory), processes_for(streams)) as web,
        ):
            found = follow(web, streams, SECONDS, detailed=False)
        late = [ms for reading in found.readings for ms in reading]
        values[f"{streams}:p99"] = percentile(late, 0.99)
        values[f"{streams}:share"] = 100 * len(late) / (streams * len(found.readings))
        values[f"cpu:{streams}:web"] = found.cpu_s / SECONDS
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
