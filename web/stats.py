"""A reading as the JSON that other programs rely on: the data of a ``stats`` event."""

from typing import Any

from pipeline.clock import to_rfc3339
from pipeline.store import HOPS, RunFigures, Window
from web.database import WINDOW_S
from web.reading import Reading


def stats(reading: Reading) -> dict[str, Any]:
    """Every key, always; None where there is nothing to say. Milliseconds are rounded to microseconds."""
    totals = reading.totals
    return {
        "at": to_rfc3339(reading.at_ns, timespec="milliseconds"),
        "highest_number": totals.highest if totals else None,
        **_window(reading.window),
        "stored_total": totals.stored if totals else None,
        "run": _run(totals.runs[0] if totals and totals.runs else None),
        "hops_ms": _hops(reading.window),
        "last_arrival_at": moment(totals.last_arrived_ns if totals else None),
        "queue_depth": reading.queue.depth if reading.queue else None,
        "store": reading.store,
        "error": reading.error,
    }


def moment(ns: int | None) -> str | None:
    """Unix nanoseconds as RFC 3339."""
    return None if ns is None else to_rfc3339(ns)


def _window(window: Window | None) -> dict[str, Any]:
    return {
        "average_transmission_ms": _rounded(window.mean_ms if window else None),
        "window_s": WINDOW_S,
        "window_count": window.count if window else None,
        "p50_ms": _rounded(window.p50_ms if window else None),
        "p95_ms": _rounded(window.p95_ms if window else None),
        "p99_ms": _rounded(window.p99_ms if window else None),
        "max_ms": _rounded(window.max_ms if window else None),
    }


def _run(run: RunFigures | None) -> dict[str, Any]:
    return {
        "id": run.run if run else None,
        "highest_number": run.highest if run else None,
        "stored": run.stored if run else None,
        "missing": run.missing if run else None,
        "first_arrival_at": moment(run.first_arrived_ns if run else None),
    }


def _hops(window: Window | None) -> dict[str, float | None]:
    hops_ms = window.hops_ms if window else (None,) * len(HOPS)
    return {hop: _rounded(ms) for hop, ms in zip(HOPS, hops_ms, strict=True)}


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
