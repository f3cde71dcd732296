"""Everything internal to RQ: its keys and the formats in which it keeps jobs, executions and workers.

RQ's own worker leaves an abandoned job untouched for up to 12 minutes, swallows the error of a failed
requeue, and writes to Redis a dozen times a job. So the worker (``worker.worker``) dequeues, starts and
finishes jobs by its own scripts (``worker.queue_scripts``), in RQ's formats: ``rq info``, the failed
registry, ``rq requeue``, ``rq suspend`` and the stock ``rq worker`` work with them.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from redis.exceptions import ResponseError
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from pipeline.queue import keys, replication
from pipeline.queue.keys import QUEUE
from worker import queue_scripts as scripts
from worker.outcome import NOTHING, WriteOutcome, as_json
from worker.rq_jobs import Dequeued, HeldJob, StartedEntry, sound, started_entry

MAX_JOBS = 64
"""Maximum number of jobs that a worker dequeues at a time; a job holds at most 1,000 messages."""

MAX_REASON = 10_000
"""Maximum length of the reason that is kept with a failed job, characters."""

MAX_ID = 255
"""Maximum length of a job's id in RQ, which allows letters, digits, ``_`` and ``-`` in it."""


class RqQueue:
    """The queue as the worker ``worker`` uses it. Every method raises redis.RedisError.

    Args:
        replicas: of Redis, that must have a job on disk before it may be run. Else a job that is not accepted
            yet could be stored, lost with its server, and come again from its sender with another arrival.
    """

    def __init__(self, redis: Redis, worker: str, *, lease_s: int, replicas: int = 0) -> None:
        self._redis = redis
        self._replicas = replicas
        self._worker = worker
        self._lease_s = lease_s
        self._keys = (
            *keys.COUNTED,
            *(keys.RQ_QUEUE, keys.RQ_INTERMEDIATE, keys.RQ_STARTED, keys.RQ_FAILED),
            *(keys.LOST_JOBS, keys.rq_worker(worker)),
        )

    def dequeue(self, wait_s: float, gather_s: float = 0.0) -> Dequeued:
        """Start up to ``MAX_JOBS`` jobs from the front of the queue.

        Args:
            wait_s: how long to wait for the first one.
            gather_s: how long to wait for more, after a first one that was waited for.
        """
        found = self._dequeue()
        if found.any or not wait_s:
            return found
        moved = self._redis.blmove(keys.RQ_QUEUE, keys.RQ_INTERMEDIATE, wait_s)  # type: ignore[arg-type] # a fraction is allowed
        if not moved:
            return found
        time.sleep(gather_s)
        return self._dequeue(cast("bytes", moved))

    def _dequeue(self, *moved: bytes) -> Dequeued:
        execution, started_s = uuid4().hex, time.time()
        words = (self._worker, utcformat(now()), started_s, self._lease_s, execution, MAX_JOBS, MAX_ID)
        jobs, unreadable, gone = self._run(scripts.DEQUEUE, *words, *moved, replicas=self._replicas)
        held = [HeldJob(job_id.decode(), data, meta, execution, started_s) for job_id, data, meta in jobs]
        return Dequeued(held, [job_id.decode() for job_id in unreadable], gone)

    def heartbeat_jobs(self, held: Sequence[HeldJob]) -> None:
        words = chain.from_iterable((each.id, each.execution, each.started_s) for each in held)
        self._run(scripts.HEARTBEAT_JOBS, self._worker, now().timestamp(), self._lease_s, *words)

    def finish(self, ended: Sequence[tuple[HeldJob, WriteOutcome]]) -> None:
        """Delete the jobs: their messages are stored."""
        words = (
            (each.id, each.execution, as_json(outcome.stored), as_json(outcome.repeats))
            for each, outcome in ended
        )
        self._run(scripts.FINISH, *chain.from_iterable(words))

    def fail(self, job_id: str, execution: str, reason: str, outcome: WriteOutcome = NOTHING) -> bool:
        """Move a job to the failed registry with ``reason``. False if another worker has it."""
        reason = reason[:MAX_REASON].encode(errors="backslashreplace").decode()
        result = Result(job_id, Result.Type.FAILED, self._redis, exc_string=reason, worker_name=self._worker)
        words = list(chain.from_iterable(result.serialize().items()))
        repaired = chain.from_iterable(self._repaired(job_id).items())
        counts = map(as_json, (outcome.stored, outcome.repeats))
        ended = (job_id, execution, utcformat(now()), *counts)
        return bool(self._run(scripts.FAIL, *ended, len(words), *words, *repaired))

    def requeue_started(self, held: Iterable[HeldJob | StartedEntry]) -> tuple[int, list[bytes]]:
        """Requeue started jobs at the front of the queue, in the given order.

        Returns how many were, and the ids of those whose job is gone.
        """
        pairs = chain.from_iterable((each.id, each.execution) for each in held)
        moved, gone = self._run(scripts.REQUEUE_STARTED, time.time_ns(), *pairs)
        return moved, gone

    def requeue_intermediate(self, ids: Sequence[bytes]) -> int:
        """Requeue those of the dequeued jobs that nobody has started. Returns how many."""
        return cast("int", self._run(scripts.REQUEUE_INTERMEDIATE, *ids))

    def record_lost(self, job_id: bytes) -> bool:
        """Record an id whose job is gone. False if another worker has done so."""
        return bool(self._run(scripts.RECORD_LOST, time.time_ns(), job_id))

    def intermediate_job_ids(self) -> list[bytes]:
        """The ids of the jobs that a worker has dequeued and not started, oldest first."""
        return cast("list[bytes]", self._redis.lrange(keys.RQ_INTERMEDIATE, 0, -1))

    def started(self) -> list[StartedEntry]:
        """The jobs that are being run, oldest first."""
        scored = cast(
            "list[tuple[bytes, float]]", self._redis.zrange(keys.RQ_STARTED, 0, -1, withscores=True)
        )
        members = [(member.decode(errors="replace").rpartition(":"), score) for member, score in scored]
        with self._redis.pipeline(transaction=False) as pipeline:
            for (job_id, _, _), _ in members:
                pipeline.hmget(keys.rq_job(job_id), "worker_name", "lease_s", "enqueued_at")
            responses = pipeline.execute(raise_on_error=False)
        entries = [
            started_entry(job_id, execution, score, fields)
            for ((job_id, _, execution), score), fields in zip(members, responses, strict=True)
        ]
        return sorted(entries, key=lambda entry: entry.enqueued_at)

    def remove_dead_workers(self) -> None:
        """Unregister workers whose hash has expired, as RQ does, but without MULTI."""
        names = cast("set[bytes]", self._redis.smembers(keys.RQ_QUEUE_WORKERS))
        for name in names:
            if not self._redis.exists(name):
                self._redis.srem(keys.RQ_QUEUE_WORKERS, name)
                self._redis.srem(keys.RQ_WORKERS, name)

    def _repaired(self, job_id: str) -> dict[str, Any]:
        """Replacement fields for a hash that RQ can't read; {} if RQ can read it.

        One unreadable job in the failed registry would end ``rq requeue --all`` before the rest.
        """
        raw = self._hash(job_id)
        try:
            Job(job_id, connection=self._redis, serializer=JSONSerializer).restore(raw)
        except Exception:  # noqa: BLE001 - a damaged hash may raise anything in RQ
            return {
                "data": raw.get(b"data", b""),
                "meta": raw.get(b"meta", b"{}"),
                "origin": QUEUE,
                "created_at": utcformat(now()),
                "description": "a damaged job",
            }
        return {}

    def _hash(self, job_id: str) -> dict[bytes, bytes]:
        """The hash of a job; {} if its key holds something else."""
        try:
            return cast("dict[bytes, bytes]", self._redis.hgetall(keys.rq_job(job_id)))
        except ResponseError as error:
            return sound(error) or {}

    def _run(self, script: str, *arguments: Any, replicas: int = 0) -> Any:
        if not replicas:
            return self._redis.eval(script, len(self._keys), *self._keys, *arguments)
        with replication.pipeline(self._redis, replicas, transaction=False) as pipeline:
            pipeline.eval(script, len(self._keys), *self._keys, *arguments)
            return pipeline.execute()[0]


def end_job(redis: Redis, job_id: str, outcome: WriteOutcome, *, failed: bool) -> None:
    """Count the end of a job that RQ's own worker runs; only the first call has an effect.

    Raises redis.RedisError.
    """
    counts = map(as_json, (outcome.stored, outcome.repeats))
    redis.eval(scripts.COUNT_END, len(keys.COUNTED), *keys.COUNTED, job_id, int(failed), *counts)
