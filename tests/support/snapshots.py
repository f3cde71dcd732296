"""Snapshots of the web service for tests."""

from typing import Any

from pipeline.queue.ledger import QueueLedger, RunLedger
from pipeline.store import RunFigures, Totals, Window
from tests.support.batches import NOON_NS
from web.ledger import Balance
from web.queue_reader import QueueSample
from web.run_summary import summarize
from web.snapshot import Snapshot

RUN = RunFigures(
    "run-1", stored=128, highest=129, first_arrived_ns=NOON_NS, last_arrived_ns=NOON_NS + 5, late=1
)
WINDOW = Window(
    count=3,
    mean_ms=3.2123456,
    p50_ms=3.0,
    p95_ms=4.0,
    p99_ms=5.0,
    max_ms=5.0,
    hops_ms=(1.0, 2.2123456, 7.0, None),
    histogram=(0, 0, 0, 0, 0, 1, 2, *[0] * 10),
    persist_ms=2.0,
)


def entry(run: str = "run-1", *, accepted: int | None = 128, **changes: Any) -> RunLedger:
    """What Redis knows of a run; ``changes`` are of its fields."""
    fields: dict[str, Any] = {
        "waiting": 0,
        "failed": 0,
        "highest": 129,
        "first_arrived_ns": NOON_NS,
        "last_arrived_ns": NOON_NS + 5,
        "duplicates": 2,
    }
    return RunLedger(run=run, accepted=accepted, **{**fields, **changes})


def ledger(*runs: RunLedger, accepted: int | None = 128, **changes: Any) -> QueueLedger:
    """What Redis knows of all messages; ``changes`` are of its fields."""
    fields: dict[str, Any] = {
        "registered": accepted or 0,
        "waiting": 0,
        "failed": 0,
        "runs": {run.run: run for run in runs},
        "held_jobs": 0,
        "oldest_waiting_ns": None,
        "queued_jobs": 0,
        "jobs": 0,
        "counted": True,
    }
    return QueueLedger(accepted=accepted, **{**fields, **changes})


QUEUE = QueueSample(ledger(entry(), queued_jobs=4))


def snapshot(number: int = 1, **changes: Any) -> Snapshot:
    """A snapshot at noon with one run; ``changes`` are of its fields."""
    totals = Totals(128, 129, NOON_NS + 5, (RUN,), active=RUN, leading=RUN, highest_run="run-1")
    fields: dict[str, Any] = {
        "id": number,
        "at_ns": NOON_NS,
        "store": "sqlite",
        "totals": totals,
        "window": WINDOW,
        "queue": QUEUE,
        "balance": Balance(128, 128, 0, 0),
        "runs": (summarize("run-1", entry(), RUN),),
    }
    return Snapshot(**{**fields, **changes})
