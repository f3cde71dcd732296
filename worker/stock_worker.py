"""Runs a job in RQ's own ``rq worker``, with the same outcome as in the product's worker."""

import os
import time

from rq import get_current_job
from rq.job import Job

from pipeline.queue.job import DecodedJob, MalformedJob, decode
from pipeline.settings import read
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, StoreUnavailable, open_store
from worker.batch_writer import BatchWriter, ShutdownRequested
from worker.outcome import WriteOutcome
from worker.rq_adapter import end_job

TIMEOUT_S = 2.0
"""How long an attempt waits for the store. Then RQ requeues the job at the front, and can stop in between."""


class _Timeout(Stop):
    """A stop that is requested after a time."""

    def __init__(self) -> None:
        super().__init__()
        self._until = time.monotonic() + TIMEOUT_S

    @property
    def requested(self) -> bool:
        return time.monotonic() >= self._until


def run_current_job() -> None:
    """Store the messages of the job that RQ's worker runs in this process.

    Raises:
        StoreUnavailable: after ``TIMEOUT_S``; RQ requeues the job.
        MalformedJob, MessageRejected: RQ moves the job to the failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("only RQ's own worker can run this")
    outcome = WriteOutcome()
    try:
        decoded = _decoded(job)
        outcome = _write(decoded)
        reasons = [*decoded.malformed, *outcome.reasons]
        if reasons:
            raise MessageRejected("; ".join(reasons))
    except (MalformedJob, MessageRejected):
        job.retries_left = 0  # no retry can fix it
        end_job(job.connection, job.id, outcome, failed=True)
        raise
    end_job(job.connection, job.id, outcome, failed=False)


def _decoded(job: Job) -> DecodedJob:
    meta = job.serializer.dumps(job.meta)
    return decode(job.id, job.data, meta, worker=job.worker_name or "rq", taken_ns=time.time_ns())


def _write(decoded: DecodedJob) -> WriteOutcome:
    if not decoded.batch.arrivals:
        return WriteOutcome()
    store = open_store(read(os.environ, "worker"))
    try:
        return _write_to(store, decoded)
    finally:
        store.close()


def _write_to(store: Store, decoded: DecodedJob) -> WriteOutcome:
    writer = BatchWriter(store, heartbeat=lambda: None, stop=_Timeout())
    try:
        return writer.write([decoded.batch])[decoded.batch.id]
    except ShutdownRequested as stopped:
        raise StoreUnavailable(f"not stored within {TIMEOUT_S:g} s") from stopped
