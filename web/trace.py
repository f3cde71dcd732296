"""One message: each moment that is known of it, and where it is now."""

from dataclasses import dataclass
from typing import Any

from pipeline.clock import to_rfc3339
from pipeline.queue.job_search import MAX_JOBS, Found, JobState
from pipeline.store import StoredMessage
from web.run_label import sender

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a message."""

    what: str
    """``sent``, ``gateway``, ``arrived``, ``persisted``, ``taken``, ``stored`` or ``failed``."""
    at_ns: int
    service: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a message is, and how it came there."""

    run: str
    number: int
    state: str
    """``waiting``, ``held``, ``failed``, ``stored``, or ``unknown``."""
    moments: tuple[Moment, ...] = ()
    """In the order of the hops, which is the order of time where clocks agree."""
    job: str | None = None
    worker: str | None = None
    reason: str | None = None
    """Why it failed, or why no more is known of it."""


def of_stored(found: StoredMessage) -> Trace:
    """A message that the database has."""
    moments = _moments(found.run, found, ("stored", found.stored_ns, "database"))
    return Trace(found.run, found.number, "stored", moments, found.job, found.worker)


def of_queued(run: str, number: int, found: Found) -> Trace:
    """A message that a job in Redis has."""
    moments = _moments(run, found, ("failed", found.failed_ns, found.worker or "worker"))
    return Trace(run, number, found.state, moments, found.job, found.worker, found.reason)


def of_unsearched(run: str, number: int, state: JobState | None) -> Trace:
    """A message that is not stored and in no job that was searched.

    Args:
        state: of the jobs that were not, if it was accepted; None where that is not known.
    """
    reason = f"only the oldest {MAX_JOBS:,} jobs of each kind were searched, and it is in none of them"
    return Trace(run, number, state or UNKNOWN, reason=reason)


def _moments(run: str, found: StoredMessage | Found, last: tuple[str, int | None, str]) -> tuple[Moment, ...]:
    """Those whose time is known."""
    known = (
        ("sent", found.sent_ns, sender(run)),
        ("gateway", found.gateway_ns, "gateway"),
        ("arrived", found.arrived_ns, "consumer"),
        ("persisted", found.queued_ns, "redis"),
        ("taken", found.taken_ns, found.worker or "worker"),
        last,
    )
    return tuple(Moment(what, at_ns, service) for what, at_ns, service in known if at_ns is not None)


def as_json(trace: Trace) -> dict[str, Any]:
    """The message as ``/fizzbuzz/messages/RUN/NUMBER`` shows it."""
    return {
        "run": trace.run,
        "number": trace.number,
        "state": trace.state,
        "moments": [
            {"what": one.what, "at": to_rfc3339(one.at_ns), "service": one.service} for one in trace.moments
        ],
        "job": trace.job,
        "worker": trace.worker,
        "reason": trace.reason,
    }
