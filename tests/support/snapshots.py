"""Snapshots of the web service for tests."""

from collections.abc import Mapping
from typing import Any

from pipeline.store import RunFigures, Totals, Window
from tests.support.batches import NOON_NS
from web.queue_reader import QueueSample
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
)
QUEUE = QueueSample(depth=4, started_ns={"worker-1": NOON_NS}, duplicates={"run-1": 2})


def snapshot(number: int = 1, *, losses: Mapping[str, int] | None = None, **changes: Any) -> Snapshot:
    """A snapshot at noon with one run; ``changes`` are of its fields."""
    fields: dict[str, Any] = {
        "id": number,
        "at_ns": NOON_NS,
        "store": "sqlite",
        "totals": Totals(stored=128, highest=129, last_arrived_ns=NOON_NS + 5, runs=(RUN,)),
        "window": WINDOW,
        "queue": QUEUE,
        "losses": losses or {},
        "events": (),
        "error": None,
    }
    return Snapshot(**{**fields, **changes})
