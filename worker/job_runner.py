"""Runs the jobs that a worker dequeued together: start, decode, write, finish."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from pipeline.message import Batch
from pipeline.queue.job import MalformedJob, decode
from pipeline.stop import Stop
from pipeline.store import Store
from worker import metrics
from worker.batch_writer import BatchWriter, ShutdownRequested
from worker.maintenance import report_lost
from worker.outcome import NOTHING, WriteOutcome
from worker.rq_adapter import RqQueue
from worker.rq_jobs import Dequeued, HeldJob

log = logging.getLogger("worker")


class JobRunner:
    """Runs jobs of ``queue`` for the worker ``worker``, each with its own error handling.

    Args:
        heartbeat: called while the jobs wait for the store, in addition to the jobs' own heartbeat.
        stop: ends such a wait; the jobs are requeued.
    """

    def __init__(
        self, queue: RqQueue, store: Store, *, worker: str, heartbeat: Callable[[], None], stop: Stop
    ) -> None:
        self._queue = queue
        self._worker = worker
        self._heartbeat_worker = heartbeat
        self.writer = BatchWriter(store, heartbeat=self._heartbeat, stop=stop)
        self._held: Sequence[HeldJob] = ()

    def run(self, dequeued: Dequeued) -> None:
        """Store the messages of the started jobs, and finish the jobs.

        Ids without a job are recorded as lost, jobs without content fail.

        Raises:
            redis.RedisError: this worker still holds some jobs and has to reclaim them.
        """
        taken_ns = time.time_ns()
        held = self._held = dequeued.held
        for job_id in dequeued.gone:
            if self._queue.record_lost(job_id):
                report_lost(job_id)
        for unreadable in dequeued.unreadable:
            self._fail(unreadable, "", "not a job of messages: its hash in Redis has no data")
        batches, malformed = self._batches(held, taken_ns)
        try:
            outcomes = self.writer.write(batches)
        except ShutdownRequested as reason:
            log.info("%d jobs are requeued: %s", len(held), reason)
            self._queue.requeue_started(held)
        else:
            rejected = {b.id: why for b in batches if (why := _rejection(b, outcomes[b.id].reasons))}
            self._finish(held, outcomes, _joined(malformed, rejected))

    def _batches(self, held: Sequence[HeldJob], taken_ns: int) -> tuple[list[Batch], dict[str, str]]:
        """The batches of the jobs, and the reasons why messages or whole jobs are malformed."""
        batches: list[Batch] = []
        reasons: dict[str, str] = {}
        for each in held:
            try:
                decoded = decode(each.id, each.data, each.meta, worker=self._worker, taken_ns=taken_ns)
            except MalformedJob as error:
                reasons[each.id] = str(error)
            except MemoryError:  # of this process: the job may be valid
                raise
            except Exception as error:
                log.exception("unexpected error with job %s", each.id)
                reasons[each.id] = f"not a job of messages: unexpected {error!r}"
            else:
                batches.append(decoded.batch)
                if decoded.malformed:
                    metrics.REJECTED.inc(len(decoded.malformed))
                    reasons[each.id] = "; ".join(decoded.malformed[:10])
        return batches, reasons

    def _finish(
        self, held: Sequence[HeldJob], outcomes: Mapping[str, WriteOutcome], reasons: Mapping[str, str]
    ) -> None:
        for each in held:
            if each.id in reasons:
                self._fail(each.id, each.execution, reasons[each.id], outcomes.get(each.id, NOTHING))
        self._queue.finish([(each, outcomes[each.id]) for each in held if each.id not in reasons])

    def _fail(self, job_id: str, execution: str, reason: str, outcome: WriteOutcome = NOTHING) -> None:
        if self._queue.fail(job_id, execution, reason, outcome):
            log.error("job %s moved to the failed registry: %s", job_id, reason)

    def _heartbeat(self) -> None:
        """Send heartbeats while the held jobs wait for the store."""
        self._queue.heartbeat_jobs(self._held)
        self._heartbeat_worker()


def _rejection(batch: Batch, reasons: Sequence[str]) -> str:
    """Why messages of a batch were rejected; empty where none was."""
    if not reasons:
        return ""
    return f"{len(reasons)} of {len(batch.arrivals)} messages rejected: {'; '.join(reasons[:10])}"


def _joined(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The reasons for each job, by its id."""
    both = some.keys() | others.keys()
    return {key: "; ".join(reasons[key] for reasons in (some, others) if key in reasons) for key in both}
