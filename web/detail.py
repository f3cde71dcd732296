"""A reading as the JSON of a ``detail`` event: what the page shows beyond the figures of ``stats``."""

from typing import Any

from pipeline.store import HISTOGRAM_MS, RunFigures
from web.journal import Line
from web.reading import Reading
from web.stats import moment


def detail(reading: Reading) -> dict[str, Any]:
    """Histogram, runs and journal of a reading, newest first."""
    runs = reading.totals.runs if reading.totals else ()
    return {
        "histogram": {
            "bounds_ms": HISTOGRAM_MS,
            "counts": reading.window.histogram if reading.window else None,
        },
        "runs": [_run(reading, run) for run in runs],
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


def _line(line: Line) -> dict[str, str | None]:
    return {"at": moment(line.at_ns), "kind": line.kind, "text": line.text}
