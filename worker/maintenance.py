"""Finds jobs whose worker is gone and queues them again.

By what this worker itself has watched, on a clock that nobody sets: the times in RQ's registries are
wall clock times, and a step of that clock would hide an abandoned job for as long as the step.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from redis import Redis

from pipeline.queue.client import reconcile_waiting
from pipeline.stop import Stop
from worker import metrics
from worker.rq_adapter import RqQueue
from worker.rq_jobs import StartedEntry

START_S = 0.5
"""A job normally starts much sooner than this after it is dequeued."""

log = logging.getLogger("worker")

Monotonic = Callable[[], float]


class _Watch:
    """How long each of a number of things has looked the same."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._since: dict[object, tuple[object, float]] = {}

    def unchanged_s(self, looks: Mapping[object, object]) -> dict[object, float]:
        """For each thing, for how many seconds it has had this look; 0 at the first."""
        now_s = self._monotonic()
        before = self._since
        self._since = {
            thing: before[thing] if thing in before and before[thing][0] == look else (look, now_s)
            for thing, look in looks.items()
        }
        return {thing: now_s - since_s for thing, (_, since_s) in self._since.items()}


class Maintenance:
    """Looks after the jobs that workers have taken.

    Args:
        abandoned_after_s: a job that is only taken for this long is queued again.
    """

    def __init__(
        self,
        redis: Redis,
        queue: RqQueue,
        *,
        abandoned_after_s: float,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._abandoned_after_s = abandoned_after_s
        self._taken = _Watch(monotonic)
        self._started = _Watch(monotonic)

    def run(self) -> None:
        """One look. Raises redis.RedisError."""
        self._put_back_taken()
        self._requeue(self._abandoned())
        self._queue.forget_dead_workers()
        reconcile_waiting(self._redis)
        metrics.FAILED_JOBS.set(self._queue.failed_jobs())
        metrics.LOST_JOBS.set(self._queue.lost_jobs())

    def reclaim(self, worker: str, stop: Stop) -> None:
        """Queue again what an earlier worker of this name was killed over, and what nobody started.

        RQ does not record who dequeued a job that has not started. One that stays so for longer than a
        start takes is put back; were its worker only slow, that one finds it gone.
        """
        if ids := self._queue.taken():
            stop.wait(START_S)
            metrics.RECLAIMED.inc(self._queue.put_back(ids))
        self._requeue([entry for entry in self._queue.started() if entry.worker == worker])

    def _put_back_taken(self) -> None:
        ids = self._queue.taken()
        waited_s = self._taken.unchanged_s(dict.fromkeys(ids))
        if old := [job_id for job_id in ids if waited_s[job_id] > self._abandoned_after_s]:
            metrics.RECLAIMED.inc(self._queue.put_back(old))

    def _abandoned(self) -> list[StartedEntry]:
        entries = self._queue.started()
        unchanged_s = self._started.unchanged_s({(e.id, e.execution): e.expires_s for e in entries})
        return [e for e in entries if _is_abandoned(e, unchanged_s[e.id, e.execution])]

    def _requeue(self, entries: Sequence[StartedEntry]) -> None:
        if not entries:
            return
        moved, gone = self._queue.requeue(entries)
        metrics.RECLAIMED.inc(moved)
        for job_id in gone:
            report_lost(job_id)


def report_lost(job_id: bytes) -> None:
    """Say that a job is gone; called once for each, by the worker that recorded it."""
    metrics.LOST_JOBS.inc()
    log.error(
        "job %s is gone from Redis: if its messages were not stored before, they are lost",
        job_id.decode(errors="backslashreplace"),
    )


def _is_abandoned(entry: StartedEntry, unchanged_s: float) -> bool:
    if entry.lease_s is None:  # of a worker of RQ's own, which may give no heartbeat for minutes
        return entry.expires_s < time.time()
    return unchanged_s > entry.lease_s
