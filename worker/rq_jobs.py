"""Jobs as RQ keeps them in Redis, in three states: dequeued, held by this worker, started by any worker."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DequeuedJob:
    """A job as it is in Redis; ``data`` is None if its hash can't be read or has none."""

    id: str
    data: bytes | None
    meta: bytes


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that this worker has started."""

    job: DequeuedJob
    execution: str
    started_s: float
    """Unix time, as RQ records it."""

    @property
    def id(self) -> str:
        return self.job.id


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
    """An entry of the registry with worker, lease and enqueue time from the job's hash."""
    worker, lease_s, enqueued_at = [None] * 3 if isinstance(fields, Exception) else fields
    return StartedEntry(
        job_id,
        execution,
        expires_s,
        (worker or b"").decode(errors="replace"),
        float(lease_s) if lease_s else None,
        (enqueued_at or b"").decode(errors="replace"),
    )
