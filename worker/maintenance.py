"""Finds jobs whose worker is gone and requeues them.

It measures on the monotonic clock how long a job's state has not changed. The times in RQ's registries are
wall clock times: a step of that clock would hide an abandoned job for as long as the step.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from redis import Redis

from pipeline.queue import keys, ledger_repair
from pipeline.stop import Stop
from worker import metrics
from worker.rq_adapter import RqQueue
from worker.rq_jobs import StartedEntry

START_S = 0.5
"""A job normally starts much sooner than this after it is dequeued."""

log = logging.getLogger("worker")

Monotonic = Callable[[], float]


class _Watch:
    """How long each of a number of items has been in the same state."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._since: dict[object, tuple[object, float]] = {}

    def unchanged_s(self, states: Mapping[object, object]) -> dict[object, float]:
        """For each item, for how many seconds it has been in this state; 0 the first time."""
        now_s = self._monotonic()
        before = self._since
        self._since = {
            item: before[item] if item in before and before[item][0] == state else (state, now_s)
            for item, state in states.items()
        }
        return {item: now_s - since_s for item, (_, since_s) in self._since.items()}


class Maintenance:
    """Requeues abandoned jobs and updates the gauges of jobs.

    Args:
        abandoned_after_s: a job that was dequeued and has not started for this long is requeued.
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
        self._intermediate = _Watch(monotonic)
        self._started = _Watch(monotonic)

    def run(self) -> None:
        """Run once. Raises redis.RedisError."""
        self._requeue_intermediate()
        self._requeue_started(self._abandoned())
        self._queue.remove_dead_workers()
        ledger_repair.reconcile(self._redis)
        ledger_repair.evict_runs(self._redis)
        metrics.FAILED_JOBS.set(int(self._redis.zcard(keys.RQ_FAILED)))
        metrics.LOST_JOBS.set(int(self._redis.hlen(keys.LOST_JOBS)))

    def reclaim(self, worker: str, stop: Stop) -> None:
        """Requeue what a killed worker of this name was running, and what nobody started.

        RQ does not record who dequeued a job that has not started. One that stays
        dequeued for longer than a start takes is requeued; if its worker was only slow, its start fails.
        """
        if ids := self._queue.intermediate_job_ids():
            stop.wait(START_S)
            metrics.RECLAIMED.inc(self._queue.requeue_intermediate(ids))
        self._requeue_started([entry for entry in self._queue.started() if entry.worker == worker])

    def _requeue_intermediate(self) -> None:
        ids = self._queue.intermediate_job_ids()
        waited_s = self._intermediate.unchanged_s(dict.fromkeys(ids))
        if old := [job_id for job_id in ids if waited_s[job_id] > self._abandoned_after_s]:
            metrics.RECLAIMED.inc(self._queue.requeue_intermediate(old))

    def _abandoned(self) -> list[StartedEntry]:
        entries = self._queue.started()
        unchanged_s = self._started.unchanged_s({(e.id, e.execution): e.expires_s for e in entries})
        return [e for e in entries if _is_abandoned(e, unchanged_s[e.id, e.execution])]

    def _requeue_started(self, entries: Sequence[StartedEntry]) -> None:
        if not entries:
            return
        moved, gone = self._queue.requeue_started(entries)
        metrics.RECLAIMED.inc(moved)
        for job_id in gone:
            report_lost(job_id)


def report_lost(job_id: bytes) -> None:
    """Log and count a lost job; called once per job, by the worker that recorded it."""
    metrics.LOST_JOBS.inc()
    log.error(
        "job %s is gone from Redis: if its messages were not stored before, they are lost",
        job_id.decode(errors="backslashreplace"),
    )


def _is_abandoned(entry: StartedEntry, unchanged_s: float) -> bool:
    if entry.lease_s is None:  # run by RQ's own worker, which may send no heartbeat for minutes
        return entry.expires_s < time.time()
    return unchanged_s > entry.lease_s
