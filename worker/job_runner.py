"""Runs the jobs that a worker has taken together: start, decode, write, end."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from pipeline.message import Batch
from pipeline.queue.job import decode
from pipeline.stop import Stop
from pipeline.store import Store
from worker import metrics
from worker.batch_writer import BatchWriter, ShutdownRequested
from worker.maintenance import report_lost
from worker.rq_adapter import RqQueue
from worker.rq_jobs import HeldJob, TakenJob, unpacked

log = logging.getLogger("worker")


class JobRunner:
    """Runs jobs of ``queue`` for the worker ``worker``, each under its own guard.

    Args:
        beat: called while the jobs wait for the store, beside the jobs' own heartbeat.
        stop: ends such a wait; the jobs go back to the queue.
    """

    def __init__(
        self, queue: RqQueue, store: Store, *, worker: str, beat: Callable[[], None], stop: Stop
    ) -> None:
        self._queue = queue
        self._worker = worker
        self._beat_worker = beat
        self._writing = BatchWriter(store, beat=self._beat, stop=stop)
        self._held: Sequence[HeldJob] = ()

    def run(self, ids: Sequence[bytes]) -> None:
        """Store the messages of the jobs with these ids, and end the jobs.

        Raises:
            redis.RedisError: some jobs are still this worker's; it has to reclaim them.
        """
        taken_ns = time.time_ns()
        held = self._held = self._queue.start(self._readable(ids))
        batches, reasons = self._batches(held, taken_ns)
        try:
            rejected = self._writing.write(batches)
        except ShutdownRequested as reason:
            log.info("%d jobs go back to the queue: %s", len(held), reason)
            self._queue.requeue(held)
        else:
            self._end(held, _joined(reasons, rejected))

    def _readable(self, ids: Sequence[bytes]) -> list[TakenJob]:
        """The jobs of these ids. Ids without a job are recorded, jobs without content set aside."""
        jobs, gone = self._queue.fetch(ids)
        for job_id in gone:
            if self._queue.lose(job_id):
                report_lost(job_id)
        for job in jobs:
            if job.data is None:
                self._fail(job.id, "", "not a job of messages: its hash in Redis has no data")
        return [job for job in jobs if job.data is not None]

    def _batches(self, held: Sequence[HeldJob], taken_ns: int) -> tuple[list[Batch], dict[str, str]]:
        """What the jobs carry, and why some carry nothing, or something, of no use."""
        batches: list[Batch] = []
        reasons: dict[str, str] = {}
        for each in held:
            try:
                data = unpacked(each.job.data or b"")
                decoded = decode(each.id, data, each.job.meta, worker=self._worker, taken_ns=taken_ns)
            except ValueError as error:
                reasons[each.id] = str(error)
            except Exception as error:
                log.exception("unexpected error with job %s", each.id)
                reasons[each.id] = f"not a job of messages: unexpected {error!r}"
            else:
                batches.append(decoded.batch)
                if decoded.malformed:
                    metrics.REJECTED.inc(len(decoded.malformed))
                    reasons[each.id] = "; ".join(decoded.malformed[:10])
        return batches, reasons

    def _end(self, held: Sequence[HeldJob], reasons: dict[str, str]) -> None:
        for each in held:
            if each.id in reasons:
                self._fail(each.id, each.execution, reasons[each.id])
        self._queue.finish([each for each in held if each.id not in reasons])

    def _fail(self, job_id: str, execution: str, reason: str) -> None:
        if self._queue.fail(job_id, execution, reason):
            log.error("job %s goes to the failed registry: %s", job_id, reason)

    def _beat(self) -> None:
        """A heartbeat while the jobs held wait for the store."""
        self._queue.heartbeat_jobs(self._held)
        self._beat_worker()


def _joined(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The reasons for each job, by its id."""
    both = some.keys() | others.keys()
    return {key: "; ".join(part[key] for part in (some, others) if key in part) for key in both}
