"""A reading as the JSON of a ``detail`` event: what the page shows beyond the figures of ``stats``."""

from typing import Any

from pipeline.clock import NS_PER_MS
from pipeline.store import HISTOGRAM_MS, RunFigures
from web.journal import Line
from web.reading import Reading
from web.stats import moment


def detail(reading: Reading) -> dict[str, Any]:
    """Histogram, runs, clocks and journal of a reading, newest first."""
    runs = reading.totals.runs if reading.totals else ()
    return {
        "histogram": {
            "bounds_ms": HISTOGRAM_MS,
            "counts": reading.window.histogram if reading.window else None,
        },
        "runs": [_run(reading, run) for run in runs],
        "clock": _clock(reading),
        "journal": [_line(line) for line in reversed(reading.journal)],
    }


def _run(reading: Reading, run: RunFigures) -> dict[str, Any]:
    return {
        "id": run.run,
        "highest_number": run.highest,
        "stored": run.stored,
        "missing": run.missing,
        "lost": reading.losses.get(run.run, 0),
        "duplicates": reading.queue.duplicates.get(run.run) if reading.queue else None,
        "late": run.late,
        "first_arrival_at": moment(run.first_arrived_ns),
    }


def _clock(reading: Reading) -> dict[str, float] | None:
    """The newest clock difference that a sender of the runs shown told of."""
    runs = reading.totals.runs if reading.totals and reading.queue else ()
    known = [reading.queue.clocks[run.run] for run in runs if run.run in reading.queue.clocks]  # type: ignore[union-attr]
    if not known:
        return None
    return {"offset_ms": known[0].offset_ns / NS_PER_MS, "error_ms": known[0].error_ns / NS_PER_MS}


def _line(line: Line) -> dict[str, str | None]:
    return {"at": moment(line.at_ns), "kind": line.kind, "text": line.text}
