"""The queue worker: takes jobs from RQ and writes their messages to the store.

RQ's own worker gives an abandoned job up for as long as 12 minutes, fails jobs that were cut short, and
writes to Redis a dozen times a job. This one takes what waits together in hand together; a killed worker's
jobs are taken up again within seconds; while the store is away the jobs at hand wait, with a sign of life.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FrameType
from typing import Any

from redis import Redis, RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import SimpleWorker, WorkerStatus

from consumer import metrics
from consumer.job import MalformedJob, batch
from consumer.jobs import JobGroup, put_back, take_more, taken
from consumer.writing import Stopped, Writing
from pipeline.message import Batch
from pipeline.queue import QUEUE
from pipeline.store import Store

ABANDONED_AFTER_S = 8
"""A job whose worker has given no sign of life for this long is run again."""

START_S = 0.5
"""Between taking a job and starting it lies far less."""

MAINTENANCE_S = 2
"""How often a worker looks for abandoned jobs."""

BEAT = timedelta(seconds=1)
ALIVE = timedelta(seconds=ABANDONED_AFTER_S + MAINTENANCE_S)

log = logging.getLogger("worker")


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

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Write the messages of ``job``, and of the jobs that wait behind it, in one go."""
        try:
            self._execute([job, *take_more(queue)], queue)
        except RedisError as error:
            log.warning("lost Redis with jobs in hand; they will be taken up again: %s", error)
            raise StopRequested from error

    def _execute(self, jobs: Sequence[Job], queue: Queue) -> None:
        taken_ns = time.time_ns()
        group = self._group = JobGroup(queue, self.name, jobs, abandoned_after_s=ABANDONED_AFTER_S)
        with self.connection.pipeline() as pipeline:
            group.start(pipeline)
            self.set_state(WorkerStatus.BUSY, pipeline)
            pipeline.execute()
        batches, failed = _batches(jobs, self.name, taken_ns)
        try:
            failed |= self._writing.write(batches)
        except Stopped as reason:
            log.info("%d jobs go back to the queue: %s", len(jobs), reason)
            self._end(group.put_back)
        else:
            self._end(lambda pipeline: group.finish(pipeline, failed))

    def _end(self, note: Callable[[Any], None]) -> None:
        with self.connection.pipeline() as pipeline:
            note(pipeline)
            self.set_state(WorkerStatus.IDLE, pipeline)
            pipeline.execute()

    def reclaim(self) -> None:
        """Put back the jobs that an earlier worker was killed over, and forget the one of this name.

        Whose a job is that was taken and not started, RQ does not note. One that lies so for longer than a
        start takes is put back; were its worker only slow, it would run twice, which adds nothing.
        """
        if names := taken(self.queues[0]):
            time.sleep(START_S)
            put_back(self.queues[0], names)
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

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ beats several times a job; once a second is enough, and each beat is a write to disk."""
        if pipeline is None and self.last_heartbeat and now() - self.last_heartbeat < BEAT:
            return
        try:
            super().heartbeat(timeout, pipeline)
        except RedisError:
            if self._stop_requested:  # RQ would go on trying until Redis is back
                raise StopRequested from None
            raise

    def set_state(self, state: str, pipeline: Any = None) -> None:
        if state != self.get_state():
            super().set_state(state, pipeline)

    def subscribe(self) -> None:
        """No remote commands: RQ's thread for them outlives a lost connection."""

    def unsubscribe(self) -> None:
        """Nothing to end."""

    @property
    def alive(self) -> bool:
        """Whether the worker has looked at its queue, or its waiting job, a short while ago."""
        return self.last_heartbeat is not None and now() - self.last_heartbeat < ALIVE

    def _beat(self) -> None:
        """A sign of life while the jobs at hand wait for the store."""
        self._group.beat()
        self.heartbeat()


def _batches(jobs: Sequence[Job], worker: str, taken_ns: int) -> tuple[list[Batch], dict[str, str]]:
    """What the jobs carry, and why some carry nothing of use."""
    batches: list[Batch] = []
    failed: dict[str, str] = {}
    for job in jobs:
        try:
            batches.append(batch(job, worker=worker, taken_ns=taken_ns))
        except MalformedJob as error:
            log.error("job %s goes to the failed registry: %s", job.id, error)
            failed[job.id] = str(error)
    return batches, failed
