"""The snapshot that each tick makes, and its JSON for programs (``stats``)."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.clock import to_rfc3339
from pipeline.store import HOPS, RunFigures, Totals, Window
from web.conditions import Condition
from web.event_log import Event
from web.ledger import UNKNOWN, Balance
from web.moments import plain, rfc3339
from web.queue_reader import QueueSample
from web.run_summary import RunSummary
from web.store_reader import WINDOW_S


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
    balance: Balance = UNKNOWN
    """All messages, over all runs."""
    runs: tuple[RunSummary, ...] = ()
    """The runs that are shown, the newest arrival first; the active run is among them."""
    conditions: tuple[Condition, ...] = ()
    """What is wrong, worst first."""
    events: tuple[Event, ...] = ()
    """The last events, oldest first."""
    error: str | None = None
    """Why the store can't be read."""

    @property
    def newest_run(self) -> RunFigures | None:
        """The run that began last."""
        return self.totals.runs[0] if self.totals and self.totals.runs else None

    @property
    def active_run(self) -> RunSummary | None:
        """The run of the last stored message."""
        active = self.totals.active if self.totals else None
        return next((run for run in self.runs if active and run.run == active.run), None)


def stats(snapshot: Snapshot) -> dict[str, Any]:
    """The data of a ``stats`` event, which other programs rely on.

    Every key, always; None where there is no value. Milliseconds are rounded to microseconds.
    """
    totals, window = snapshot.totals, snapshot.window or Window(0)
    return {
        "at": to_rfc3339(snapshot.at_ns, timespec="milliseconds"),
        "highest_number": totals.highest if totals else None,
        "average_transmission_ms": rounded(window.mean_ms),
        "window_s": WINDOW_S,
        "window_count": snapshot.window.count if snapshot.window else None,
        "p50_ms": rounded(window.p50_ms),
        "p95_ms": rounded(window.p95_ms),
        "p99_ms": rounded(window.p99_ms),
        "max_ms": rounded(window.max_ms),
        "stored_total": totals.stored if totals else None,
        "run": _run(snapshot.newest_run),
        "hops_ms": dict(zip(HOPS, map(rounded, window.hops_ms), strict=True)),
        "last_arrival_at": rfc3339(totals.last_arrived_ns if totals else None),
        "queue_depth": snapshot.queue.ledger.queued_jobs if snapshot.queue else None,
        "ledger": asdict(snapshot.balance) | {"unaccounted": snapshot.balance.unaccounted},
        "conditions": [
            {"code": one.code, "text": plain(one.text), "since": rfc3339(one.since_ns)}
            for one in snapshot.conditions
        ],
        "store": snapshot.store,
        "error": snapshot.error,
    }


def _run(run: RunFigures | None) -> dict[str, Any]:
    return {
        "id": run.run if run else None,
        "highest_number": run.highest if run else None,
        "stored": run.stored if run else None,
        "missing": run.missing if run else None,
        "first_arrival_at": rfc3339(run.first_arrived_ns if run else None),
    }


def rounded(ms: float | None) -> float | None:
    """Milliseconds rounded to microseconds."""
    return None if ms is None else round(ms, 3)
