"""Jobs as RQ keeps them in Redis, in the three states that a worker meets: taken, held, started by any."""

import zlib
from dataclasses import dataclass
from typing import Any

MAX_DATA_BYTES = 2**25
"""A job of 1,000 messages takes 0.2 MB."""


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job as it lies in Redis; ``data`` is None where its hash can't be read or has none."""

    id: str
    data: bytes | None
    meta: bytes


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that this worker has started."""

    job: TakenJob
    execution: str
    started_s: float
    """Unix time, as RQ notes it."""

    @property
    def id(self) -> str:
        return self.job.id


@dataclass(frozen=True, slots=True)
class StartedEntry:
    """An entry of RQ's registry of started jobs."""

    id: str
    execution: str
    expires_s: float
    """When RQ counts it as abandoned, Unix time; each heartbeat moves it."""
    worker: str
    lease_s: float | None
    """Without a heartbeat for this long it is abandoned; None for workers of RQ's own."""
    enqueued_at: str


def unpacked(data: bytes) -> bytes:
    """The JSON of a job's call: RQ keeps it compressed, or, where another client made the job, as it is.

    Raises:
        ValueError: it is larger than any job of ours.
    """
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_DATA_BYTES)
    except zlib.error:
        return data
    if unpacker.unconsumed_tail:
        raise ValueError(f"not a job of messages: its data has more than {MAX_DATA_BYTES} bytes")
    return unpacked


def started_entry(job_id: str, execution: str, expires_s: float, fields: Any) -> StartedEntry:
    """An entry of the registry with what the job's hash says of it: worker, lease, time of enqueueing."""
    worker, lease_s, enqueued_at = [None] * 3 if isinstance(fields, Exception) else fields
    return StartedEntry(
        job_id,
        execution,
        expires_s,
        (worker or b"").decode(errors="replace"),
        float(lease_s) if lease_s else None,
        (enqueued_at or b"").decode(errors="replace"),
    )
