"""The snapshot that each tick makes, and its JSON: ``stats`` for programs, ``detail`` for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.clock import NS_PER_MS, to_rfc3339
from pipeline.message import ClockOffset
from pipeline.store import HOPS, RunFigures, Totals, Window
from web import formatting
from web.event_log import Event
from web.queue_reader import QueueSample
from web.store_reader import WINDOW_S

STALE_MS = 2_500
"""Without an arrival for this long the page says so."""

EVENTS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What every stream, the page and ``/fizzbuzz/stats`` show, from one and the same moment."""

    id: int
    """Rises with each snapshot, also over restarts: Unix milliseconds."""
    at_ns: int
    store: str
    """Which database: ``sqlite`` or ``influxdb``."""
    totals: Totals | None
    """The last known ones; None where none were ever read."""
    window: Window | None
    """None while the store can't be read."""
    queue: QueueSample | None
    """None while Redis can't be read."""
    losses: Mapping[str, int]
    """Lost messages by run: missing for a while, not just in flight."""
    events: tuple[Event, ...]
    """The last events, oldest first."""
    error: str | None
    """Why the store can't be read."""


def stats(snapshot: Snapshot) -> dict[str, Any]:
    """The data of a ``stats`` event, which other programs rely on.

    Every key, always; None where there is no value. Milliseconds are rounded to microseconds.
    """
    totals, window = snapshot.totals, snapshot.window
    run = totals.runs[0] if totals and totals.runs else None
    return {
        "at": to_rfc3339(snapshot.at_ns, timespec="milliseconds"),
        "highest_number": totals.highest if totals else None,
        "average_transmission_ms": _rounded(window.mean_ms if window else None),
        "window_s": WINDOW_S,
        "window_count": window.count if window else None,
        "p50_ms": _rounded(window.p50_ms if window else None),
        "p95_ms": _rounded(window.p95_ms if window else None),
        "p99_ms": _rounded(window.p99_ms if window else None),
        "max_ms": _rounded(window.max_ms if window else None),
        "stored_total": totals.stored if totals else None,
        "run": {
            "id": run.run if run else None,
            "highest_number": run.highest if run else None,
            "stored": run.stored if run else None,
            "missing": run.missing if run else None,
            "first_arrival_at": _moment(run.first_arrived_ns if run else None),
        },
        "hops_ms": dict(
            zip(HOPS, map(_rounded, window.hops_ms if window else (None,) * len(HOPS)), strict=True)
        ),
        "last_arrival_at": _moment(totals.last_arrived_ns if totals else None),
        "queue_depth": snapshot.queue.depth if snapshot.queue else None,
        "store": snapshot.store,
        "error": snapshot.error,
    }


def detail(snapshot: Snapshot) -> dict[str, Any]:
    """The data of a ``detail`` event: the page's texts and times by element id, and what its charts draw."""
    data = stats(snapshot)
    counts = snapshot.window.histogram if snapshot.window else None
    return {
        "at": data["at"],
        "last_arrival_at": data["last_arrival_at"],
        "states": _states(snapshot, data),
        "highest": formatting.groups(data["highest_number"]),
        "texts": _texts(snapshot, data),
        "times": {"run-first": data["run"]["first_arrival_at"], "last-arrival": data["last_arrival_at"]},
        "point": chart_point(snapshot),
        "hops_ms": list(data["hops_ms"].values()),
        "histogram": {"counts": counts, "labels": [formatting.compact(count) for count in counts or ()]},
        "runs": [_run(snapshot, run) for run in _runs(snapshot)],
        "events": [
            {"at": _moment(event.at_ns), "kind": event.kind, "text": event.text}
            for event in snapshot.events[: -EVENTS_SHOWN - 1 : -1]
        ],
    }


def chart_point(snapshot: Snapshot) -> tuple[int, float | None, float | None, str, str]:
    """Unix ms, average and 99th percentile in ms, and both as texts."""
    window = snapshot.window
    mean_ms, p99_ms = (_rounded(window.mean_ms), _rounded(window.p99_ms)) if window else (None, None)
    return (snapshot.at_ns // NS_PER_MS, mean_ms, p99_ms, formatting.ms(mean_ms), formatting.ms(p99_ms))


def _states(snapshot: Snapshot, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The line at the top of the page: the first applies whose ``after_ms`` have passed since this snapshot.

    ``{time}`` in a text stands for the time of day of ``at``.
    """
    run = data["run"]["id"]
    lost = snapshot.losses.get(run, 0)
    if fault := formatting.faults(
        snapshot.error, redis_reachable=snapshot.queue is not None, run=run, lost=lost
    ):
        return [_state("bad", fault)]
    last_ns = snapshot.totals.last_arrived_ns if snapshot.totals else None
    if last_ns is None:
        return [_state("quiet", formatting.NO_MESSAGE_YET)]
    after_ms = max(0, STALE_MS - (snapshot.at_ns - last_ns) // NS_PER_MS)
    return [
        _state("quiet", formatting.NO_MESSAGE_SINCE, at=data["last_arrival_at"], after_ms=after_ms),
        _state("quiet", formatting.LIVE_NEGATIVE)
        if _negative(data, snapshot)
        else _state("fine", formatting.LIVE),
    ]


def _state(level: str, text: str, *, at: str | None = None, after_ms: int = 0) -> dict[str, Any]:
    return {"level": level, "text": text, "at": at, "after_ms": after_ms}


def _negative(data: Mapping[str, Any], snapshot: Snapshot) -> bool:
    return _early(snapshot) > 0 or any(ms is not None and ms < 0 for ms in data["hops_ms"].values())


def _early(snapshot: Snapshot) -> int:
    """Messages of the window that arrived before they were sent."""
    return snapshot.window.histogram[0] if snapshot.window and snapshot.window.histogram else 0


def _texts(snapshot: Snapshot, data: Mapping[str, Any]) -> dict[str, str]:
    average, unit = formatting.duration(data["average_transmission_ms"])
    run, runs = data["run"], _runs(snapshot)
    return {
        "average": average,
        "average-unit": unit,
        **{name: formatting.ms(data[f"{name}_ms"]) for name in ("p50", "p95", "p99", "max")},
        **{f"hop-{hop}": formatting.ms(ms) for hop, ms in data["hops_ms"].items()},
        "run-id": run["id"] or formatting.PLACEHOLDER,
        "run-highest": formatting.whole(run["highest_number"]),
        "run-stored": formatting.whole(run["stored"]),
        "run-missing": formatting.whole(snapshot.losses.get(run["id"], 0) if runs else None),
        "window-count": formatting.whole(data["window_count"]),
        "stored-total": formatting.whole(data["stored_total"]),
        "queue-depth": formatting.whole(data["queue_depth"]),
        "clock-difference": formatting.clock_difference(_clock(snapshot)),
        "histogram-note": formatting.histogram_note(_early(snapshot)),
    }


def _run(snapshot: Snapshot, run: RunFigures) -> dict[str, str | None]:
    """A row of the table of runs, as texts."""
    return {
        "id": run.run,
        "first_arrival_at": _moment(run.first_arrived_ns),
        "highest_number": formatting.whole(run.highest),
        "stored": formatting.whole(run.stored),
        "lost": formatting.whole(snapshot.losses.get(run.run, 0)),
        "duplicates": formatting.whole(snapshot.queue.duplicates.get(run.run) if snapshot.queue else None),
        "late": formatting.whole(run.late),
    }


def _clock(snapshot: Snapshot) -> ClockOffset | None:
    """The clock offset that the newest of the runs shown reported, if any."""
    offsets = snapshot.queue.clock_offsets if snapshot.queue else {}
    return next((offsets[run.run] for run in _runs(snapshot) if run.run in offsets), None)


def _runs(snapshot: Snapshot) -> tuple[RunFigures, ...]:
    return snapshot.totals.runs if snapshot.totals else ()


def _moment(ns: int | None) -> str | None:
    """Unix ns as RFC 3339."""
    return None if ns is None else to_rfc3339(ns)


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
