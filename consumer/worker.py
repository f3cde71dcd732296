"""The queue worker: takes jobs from RQ and writes their messages to the store.

RQ's own worker gives an abandoned job up for as long as 12 minutes, and fails jobs that were cut short.
This one differs in three points: a killed worker's job is taken up again within seconds, a job never
fails for being cut short, and while the store is away the job at hand waits, with its heartbeat kept.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta
from types import FrameType
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import InvalidJobOperation, NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import SimpleWorker

from consumer import job as payload
from consumer import metrics
from consumer.writing import Stopped, Writing
from pipeline.queue import QUEUE
from pipeline.store import MessageRejected, Store

ABANDONED_AFTER_S = 8
"""A job whose worker has given no sign of life for this long is run again."""

MAINTENANCE_S = 2
"""How often a worker looks for abandoned jobs."""

ALIVE = timedelta(seconds=ABANDONED_AFTER_S + MAINTENANCE_S)

log = logging.getLogger("worker")

_current: ContextVar["StoreWorker"] = ContextVar("worker")


def store(data: Mapping[str, Any]) -> None:
    """The job (see ``consumer.job.TASK``): write its messages. Runs inside a StoreWorker alone."""
    _current.get().store_job(data)


class _IntermediateQueue(IntermediateQueue):
    """Jobs between the queue and their start; RQ waits a minute before it sees one as abandoned."""

    def should_be_cleaned_up(self, job_id: str) -> bool:
        first_seen = self.get_first_seen(job_id)
        return first_seen is not None and time.time() - first_seen.timestamp() > ABANDONED_AFTER_S


class StoreQueue(Queue):
    """RQ's queue, with locks that a killed worker does not leave behind for a quarter of an hour."""

    @property
    def intermediate_queue(self) -> IntermediateQueue:
        return _IntermediateQueue(self.key, connection=self.connection)

    def acquire_maintenance_lock(self) -> bool:
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=ABANDONED_AFTER_S))


class StoreWorker(SimpleWorker):
    """Writes jobs to ``store``. Of the same name there may be one at a time."""

    queue_class = StoreQueue
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, name: str, connection: Redis, store: Store) -> None:
        super().__init__(
            [QUEUE],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=15 + MAINTENANCE_S,  # RQ waits worker_ttl - 15 s for a job, then looks around
            maintenance_interval=MAINTENANCE_S,
            log_job_description=False,
        )
        self._writing = Writing(store, beat=self._beat, stopping=lambda: self._stop_requested)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return ABANDONED_AFTER_S

    def store_job(self, data: Mapping[str, Any]) -> None:
        """Write the messages of the job at hand, for as long as it takes."""
        job = self._job
        batch = payload.batch(
            job.id,
            data,
            without=frozenset(job.meta.get("duplicates", ())),
            worker=self.name,
            taken_ns=time.time_ns(),
        )
        try:
            self._writing.write(batch)
        except MessageRejected:
            job.retries_left = 0  # no retry can mend it: RQ moves it to the failed registry
            raise

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._job = job
        token = _current.set(self)
        try:
            super().execute_job(job, queue)
        finally:
            _current.reset(token)

    def reclaim(self) -> None:
        """Put back the jobs that an earlier worker of this name was killed over, and forget it."""
        executions: Sequence[Execution] = self.get_current_executions(refresh=True)
        for execution in executions:
            self._put_back(execution)
        self.connection.delete(self.key, self.executions_key)

    def _put_back(self, execution: Execution) -> None:
        try:
            job = Job.fetch(execution.job_id, self.connection, JSONSerializer)
        except NoSuchJobError:  # it was finished at the last moment
            return
        with self.connection.pipeline() as pipeline:
            if job.get_status(refresh=False) == JobStatus.STARTED:
                job.retry(self.queues[0], pipeline)
                metrics.RECLAIMED.inc()
            execution.delete(job, pipeline)
            pipeline.execute()

    @property
    def stop_requested(self) -> bool:
        """Whether SIGTERM or SIGINT came."""
        return self._stop_requested

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Only take note: RQ would cut off a job that was just taken from the queue."""
        self._stop_requested = True

    @property
    def should_run_maintenance_tasks(self) -> bool:
        if self._stop_requested:  # RQ asks this between two jobs, with none in hand
            raise StopRequested
        return bool(super().should_run_maintenance_tasks)

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        metrics.FAILED_JOBS.set(self.queues[0].failed_job_registry.get_job_count(cleanup=False))

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        reason = exc_info[1]
        if isinstance(reason, Stopped):
            log.info("job %s goes back to the queue: %s", job.id, reason)
        elif isinstance(reason, InvalidJobOperation):
            log.info("job %s was finished by another worker meanwhile", job.id)
        elif isinstance(reason, MessageRejected):
            log.error("job %s goes to the failed registry: %s", job.id, reason)
        else:
            super().handle_exception(job, *exc_info)

    def subscribe(self) -> None:
        """No remote commands: RQ's thread for them outlives a lost connection."""

    def unsubscribe(self) -> None:
        """Nothing to end."""

    @property
    def alive(self) -> bool:
        """Whether the worker has looked at its queue, or its waiting job, a short while ago."""
        return self.last_heartbeat is not None and now() - self.last_heartbeat < ALIVE

    def _beat(self) -> None:
        """A sign of life while the job at hand waits for the store."""
        for execution in list(self.executions.values()):
            self.maintain_heartbeats(self._job, execution)
