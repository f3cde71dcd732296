"""Runs a job in RQ's own ``rq worker``, with the outcome that the product's worker gives it."""

import os
import time

from rq import get_current_job
from rq.job import Job

from pipeline.queue import client as queue
from pipeline.queue.job import Decoded, MalformedJob, decode
from pipeline.settings import read
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, StoreUnavailable, open_store
from worker.batch_writer import BatchWriter, ShutdownRequested

PATIENCE_S = 2.0
"""How long a try waits for the store. Then RQ has the job again, at the front, and sees whether to stop."""


class _Patience(Stop):
    """A stop that comes by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._until = time.monotonic() + PATIENCE_S

    @property
    def requested(self) -> bool:
        return time.monotonic() >= self._until


def run_current_job() -> None:
    """Store the messages of the job that this process's RQ worker runs.

    Raises:
        StoreUnavailable: after ``PATIENCE_S``; RQ queues the job again.
        MalformedJob, MessageRejected: RQ puts the job into the failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("only a worker of RQ's can run this")
    try:
        decoded = _decoded(job)
        reasons = [*decoded.malformed, *_write(decoded)]
        if reasons:
            raise MessageRejected("; ".join(reasons))
    except (MalformedJob, MessageRejected):
        job.retries_left = 0  # no retry can mend it
        queue.settle(job.connection, job.key)
        raise
    queue.settle(job.connection, job.key)


def _decoded(job: Job) -> Decoded:
    meta = job.serializer.dumps(job.meta)
    return decode(job.id, job.data, meta, worker=job.worker_name or "rq", taken_ns=time.time_ns())


def _write(decoded: Decoded) -> list[str]:
    if not decoded.batch.arrivals:
        return []
    store = open_store(read(os.environ, "worker"))
    try:
        return _write_to(store, decoded)
    finally:
        store.close()


def _write_to(store: Store, decoded: Decoded) -> list[str]:
    writing = BatchWriter(store, beat=lambda: None, stop=_Patience())
    try:
        return list(writing.write([decoded.batch]).values())
    except ShutdownRequested as stopped:
        raise StoreUnavailable(f"not stored within {PATIENCE_S:g} s") from stopped
