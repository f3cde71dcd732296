"""The data of a ``detail`` event: what the page shows of a snapshot, as texts."""

from collections.abc import Mapping
from typing import Any

from pipeline.clock import NS_PER_MS
from pipeline.message import ClockOffset
from pipeline.store import Window
from web import formatting
from web.conditions import MINOR, Condition
from web.moments import rfc3339
from web.run_label import label
from web.run_summary import RunSummary
from web.snapshot import Snapshot, rounded

EVENTS_SHOWN = 8


def detail(snapshot: Snapshot, data: Mapping[str, Any]) -> dict[str, Any]:
    """Texts and times by element id, and what the charts draw. Moments in texts are as in ``web.moments``.

    Args:
        data: its ``stats``.
    """
    counts = snapshot.window.histogram if snapshot.window else None
    active = snapshot.active_run
    return {
        "at": data["at"],
        "last_arrival_at": data["last_arrival_at"],
        "states": _states(snapshot),
        "highest": formatting.groups(_page_highest(snapshot)),
        "texts": _texts(snapshot, data),
        "times": {"last-arrival": data["last_arrival_at"]},
        "alarm": any(one.code == "unaccounted" for one in snapshot.conditions),
        "run_parts": formatting.run_parts(active),
        "point": chart_point(snapshot),
        "hops_ms": hops(snapshot.window or Window(0)),
        "histogram": {"counts": counts, "labels": [formatting.compact(count) for count in counts or ()]},
        "failed": [{"job": job, "reason": reason[:300]} for job, reason in _failed(snapshot)],
        "runs": [_run(run) for run in snapshot.runs],
        "events": [
            {"at": rfc3339(event.at_ns), "kind": event.kind, "text": event.text}
            for event in snapshot.events[: -EVENTS_SHOWN - 1 : -1]
        ],
    }


def chart_point(snapshot: Snapshot) -> tuple[int, float | None, float | None, str, str]:
    """Unix ms, average and 99th percentile in ms, and both as texts."""
    window = snapshot.window or Window(0)
    mean_ms, p99_ms = rounded(window.mean_ms), rounded(window.p99_ms)
    return (snapshot.at_ns // NS_PER_MS, mean_ms, p99_ms, formatting.ms(mean_ms), formatting.ms(p99_ms))


def hops(window: Window) -> list[float | None]:
    """The mean of each of ``formatting.HOPS``, in ms: the hop ``queue`` in its two parts."""
    gateway, consumer, queue, store = window.hops_ms
    persist = window.persist_ms
    wait = queue if queue is None or persist is None else queue - persist
    return [rounded(each) for each in (gateway, consumer, persist, wait, store)]


def _states(snapshot: Snapshot) -> list[dict[str, str]]:
    """The lines at the top of the page: the conditions, or that all is well."""
    if not snapshot.conditions:
        return [{"level": "fine", "text": formatting.LIVE}]
    return [_state(condition) for condition in snapshot.conditions]


def _state(condition: Condition) -> dict[str, str]:
    return {"level": "quiet" if condition.code in MINOR else "bad", "text": condition.text}


def _page_highest(snapshot: Snapshot) -> int | None:
    totals = snapshot.totals
    if totals is None:
        return None
    return totals.leading.highest if totals.leading else totals.highest


def _highest_note(snapshot: Snapshot) -> str:
    """Whose the large number is, if not the active run's; and the highest of all where it differs."""
    totals = snapshot.totals
    if totals is None or totals.highest is None:
        return ""
    whose = totals.leading.run if totals.leading else totals.highest_run
    notes = []
    if whose and (totals.active is None or whose != totals.active.run):
        notes.append(f"Of run {label(whose)}")
    if totals.highest_run and totals.highest != _page_highest(snapshot):
        notes.append(f"Highest in the database: {totals.highest:,}, in run {label(totals.highest_run)}")
    return ". ".join(notes)


def _texts(snapshot: Snapshot, data: Mapping[str, Any]) -> dict[str, str]:
    window, active = snapshot.window, snapshot.active_run
    average, unit = formatting.duration(data["average_transmission_ms"])
    names = [name for name, _ in formatting.HOPS]
    return {
        "average": average,
        "average-unit": unit,
        "average-note": formatting.average_note(window),
        "highest-note": _highest_note(snapshot),
        "ledger": formatting.ledger(snapshot.balance, data["stored_total"]),
        **{name: formatting.with_unit(data[f"{name}_ms"]) for name in ("p50", "p95", "p99", "max")},
        **{
            f"hop-{name}": formatting.with_unit(ms)
            for name, ms in zip(names, hops(window or Window(0)), strict=True)
        },
        "run-label": label(active.run) if active else formatting.PLACEHOLDER,
        "run-id": active.run if active else formatting.PLACEHOLDER,
        "run-highest": formatting.count(active.highest if active else None),
        "window-count": formatting.whole(data["window_count"]),
        "clock-difference": formatting.clock_difference(_clock(snapshot)),
        "histogram-note": formatting.histogram_note(_early(snapshot)),
        "failed-count": formatting.failed_count(snapshot.balance.failed, snapshot.queue),
    }


def _early(snapshot: Snapshot) -> int:
    """Messages of the window that arrived before they were sent."""
    return snapshot.window.histogram[0] if snapshot.window and snapshot.window.histogram else 0


def _failed(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    return snapshot.queue.failed.newest if snapshot.queue and snapshot.queue.failed else ()


def _run(run: RunSummary) -> dict[str, Any]:
    """A row of the table of runs, as texts."""
    return {
        "id": run.run,
        "label": label(run.run),
        "highest_number": formatting.count(run.highest),
        "parts": formatting.run_parts(run),
    }


def _clock(snapshot: Snapshot) -> ClockOffset | None:
    """The clock offset that the newest of the runs shown reported, if any."""
    offsets = snapshot.queue.clock_offsets if snapshot.queue else {}
    return next((offsets[run.run] for run in snapshot.runs if run.run in offsets), None)
