"""One run: where its messages are, of its entry in Redis and its figures in the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.queue.ledger import RunLedger
from pipeline.store import RunFigures
from web.ledger import run_balance
from web.moments import plain, rfc3339
from web.run_label import label


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of one run. None: not known."""

    run: str
    accepted: int | None
    stored: int
    waiting: int | None
    failed: int | None
    lost: int | None
    """Accepted, and neither stored, waiting nor failed."""
    never_accepted: int | None
    """Numbers below the highest that were never accepted: refused, or never sent."""
    duplicates: int | None
    """Messages that were accepted again; None also after the dedupe window."""
    late: int
    highest: int | None
    first_arrived_ns: int | None
    last_arrived_ns: int | None


def summarize(run: str, entry: RunLedger | None, figures: RunFigures | None) -> RunSummary:
    """The run of this name.

    Args:
        entry: what Redis knows of it; None where that could not be read.
        figures: what the store had of it after that; None where the store has nothing.
    """
    balance = run_balance(entry, figures)
    known = [source for source in (entry, figures) if source]
    highest = _largest(source.highest for source in known)
    difference = balance.unaccounted
    never_accepted = None
    if balance.accepted is not None and highest is not None:
        never_accepted = max(0, highest + 1 - balance.accepted)
    return RunSummary(
        run=run,
        accepted=balance.accepted,
        stored=figures.stored if figures else 0,
        waiting=balance.waiting,
        failed=balance.failed,
        lost=None if difference is None else max(0, difference),
        never_accepted=never_accepted,
        duplicates=entry.duplicates if entry else None,
        late=figures.late if figures else 0,
        highest=highest,
        first_arrived_ns=_smallest(source.first_arrived_ns for source in known),
        last_arrived_ns=_largest(source.last_arrived_ns for source in known),
    )


def as_json(run: RunSummary) -> dict[str, Any]:
    """The run as ``/fizzbuzz/runs`` shows it."""
    return {
        "id": run.run,
        "label": plain(label(run.run), zone=""),
        "accepted": run.accepted,
        "stored": run.stored,
        "waiting": run.waiting,
        "failed": run.failed,
        "lost": run.lost,
        "never_accepted": run.never_accepted,
        "duplicates": run.duplicates,
        "highest_number": run.highest,
        "first_arrival_at": rfc3339(run.first_arrived_ns),
        "last_arrival_at": rfc3339(run.last_arrived_ns),
    }


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _smallest(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
