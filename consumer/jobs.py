"""Jobs that a worker has in hand together: what RQ notes for one job, noted for all in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now

MOST_JOBS = 64
"""Jobs that a worker takes at a time; a job holds 1,000 messages at the most."""


_TAKE = """
local ids = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
if #ids > 0 then
  redis.call('LTRIM', KEYS[1], #ids, -1)
  redis.call('LPUSH', KEYS[2], unpack(ids))
end
return ids
"""

_PUT_BACK = """
for i = #ARGV, 1, -1 do
  if redis.call('LREM', KEYS[2], 1, ARGV[i]) == 1 then
    redis.call('LPUSH', KEYS[1], ARGV[i])
  end
end
"""


class JobGroup:
    """The jobs that the worker ``worker`` has in hand, and their executions.

    Args:
        abandoned_after_s: when the jobs count as abandoned, unless ``beat`` is called before.
    """

    def __init__(self, queue: Queue, worker: str, jobs: Sequence[Job], *, abandoned_after_s: int) -> None:
        self.jobs = jobs
        self._queue = queue
        self._redis: Redis = queue.connection
        self._worker = worker
        self._ttl_s = abandoned_after_s
        self._executions: dict[str, Execution] = {}

    def start(self, pipeline: Any) -> None:
        """Note that the jobs are under way. They leave the list of those that were only taken."""
        for job in self.jobs:
            self._executions[job.id] = Execution.create(job, self._ttl_s, pipeline, self._worker)
            job.prepare_for_execution(self._worker, pipeline)
            pipeline.persist(job.key)
            pipeline.lrem(self._queue.intermediate_queue_key, 1, job.id)

    def beat(self) -> None:
        """A sign of life."""
        with self._redis.pipeline() as pipeline:
            for job in self.jobs:
                execution = self._executions[job.id]
                execution.heartbeat(job.started_job_registry, self._ttl_s, pipeline)
            pipeline.execute()

    def finish(self, pipeline: Any, failed: Mapping[str, str]) -> None:
        """Forget the jobs that are done; keep those in ``failed`` in the failed registry, each with why."""
        for job in self.jobs:
            self._executions[job.id].delete(job, pipeline)
            if job.id in failed:
                self._fail(job, failed[job.id], pipeline)
            else:
                pipeline.delete(job.key, job.execution_registry.key)

    def put_back(self, pipeline: Any) -> None:
        """Queue the jobs again, before all others and in their order."""
        for job in reversed(self.jobs):
            self._executions[job.id].delete(job, pipeline)
            job.retry(self._queue, pipeline)

    def _fail(self, job: Job, reason: str, pipeline: Any) -> None:
        job.ended_at = now()
        job.set_status(JobStatus.FAILED, pipeline)
        job._handle_failure(reason, pipeline, worker_name=self._worker)  # noqa: SLF001 - as RQ's worker does


def take_more(queue: Queue) -> list[Job]:
    """Further jobs that wait already, as RQ takes one; none where none waits."""
    ids = queue.connection.eval(_TAKE, 2, queue.key, queue.intermediate_queue_key, str(MOST_JOBS - 1))
    if not ids:
        return []
    jobs = Job.fetch_many([job_id.decode() for job_id in ids], queue.connection, JSONSerializer)
    return [job for job in jobs if job]


def taken(queue: Queue) -> list[bytes | str]:
    """The names of the jobs that some worker has taken from the queue and not started, oldest first."""
    return list(queue.connection.lrange(queue.intermediate_queue_key, 0, -1))


def put_back(queue: Queue, names: Sequence[bytes | str]) -> None:
    """Queue those of the taken jobs again that nobody has started, before all others."""
    queue.connection.eval(_PUT_BACK, 2, queue.key, queue.intermediate_queue_key, *names)
