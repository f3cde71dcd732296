"""Jobs as RQ keeps them in Redis: held by this worker, or started by any worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that this worker has started."""

    id: str
    data: bytes
    meta: bytes
    execution: str
    started_s: float
    """Unix time, as RQ records it."""


@dataclass(frozen=True, slots=True)
class Dequeued:
    """What a worker dequeued at a time, oldest first."""

    held: Sequence[HeldJob]
    unreadable: Sequence[str]
    """Ids of jobs that have no data, or whose key holds something else."""
    gone: Sequence[bytes]
    """Ids without a job."""

    @property
    def any(self) -> bool:
        return bool(self.held or self.unreadable or self.gone)


NOTHING_DEQUEUED = Dequeued((), (), ())


@dataclass(frozen=True, slots=True)
class StartedEntry:
    """An entry of RQ's registry of started jobs."""

    id: str
    execution: str
    expires_s: float
    """When RQ considers it abandoned, Unix time; each heartbeat extends it."""
    worker: str
    lease_s: float | None
    """Without a heartbeat for this long it is abandoned; None for RQ's own workers."""
    enqueued_at: str


def started_entry(job_id: str, execution: str, expires_s: float, fields: Any) -> StartedEntry:
    """An entry of the registry with worker, lease and enqueue time from the job's hash.

    Raises redis.RedisError where ``fields`` is an error that does not concern this job only.
    """
    worker, lease_s, enqueued_at = sound(fields) or [None] * 3
    return StartedEntry(
        job_id,
        execution,
        expires_s,
        (worker or b"").decode(errors="replace"),
        float(lease_s) if lease_s else None,
        (enqueued_at or b"").decode(errors="replace"),
    )


def sound(answer: Any) -> Any:
    """Redis's answer; None where the key holds something else. Raises any other error."""
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return None
    if isinstance(answer, Exception):
        raise answer
    return answer
