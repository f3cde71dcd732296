"""The queue worker: dequeues jobs and writes their messages to the store.

It dequeues up to 64 waiting jobs at a time and writes them together. A killed worker's jobs are requeued
within seconds; while the store is unavailable, the held jobs wait and their heartbeats continue.
"""

import logging
import time

from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError

from pipeline.queue.replication import NotReplicated
from pipeline.queue.state_reporter import Condition
from pipeline.stop import Stop
from pipeline.store import Store
from worker.job_runner import JobRunner
from worker.maintenance import Maintenance
from worker.rq_adapter import RqQueue
from worker.rq_jobs import NOTHING_DEQUEUED, Dequeued
from worker.rq_registration import Registration

ABANDONED_AFTER_S = 8
"""A job without a heartbeat for this long is requeued."""

MAINTENANCE_S = 2.0
"""Period of the search for abandoned jobs."""

HEARTBEAT_S = 1.0
"""Period of a worker's heartbeats; each is a write to disk."""

DEQUEUE_WAIT_S = 0.5
"""How long a dequeue blocks in Redis: a stop waits as long, and the client's timeout is 2 s."""

GATHER_S = 0.005
"""How long to wait, after the first job, for those that come with it: nobody waits for the worker, and the
services that answer senders need the processor now."""

PERIOD_S = 0.01
"""Between two dequeues: fewer and larger transactions cost less."""

RETRY_S = 1.0
"""Delay between retries while Redis is unavailable."""

ALIVE_S = ABANDONED_AFTER_S + MAINTENANCE_S

log = logging.getLogger("worker")


class Worker:
    """Writes jobs to ``store`` until ``stop``. Names must be unique among running workers.

    Args:
        replicas: of Redis, that must have a job on disk before it is run.
    """

    def __init__(self, name: str, redis: Redis, store: Store, stop: Stop, *, replicas: int = 0) -> None:
        self._name = name
        self._redis = redis
        self._stop = stop
        self._queue = RqQueue(redis, name, lease_s=ABANDONED_AFTER_S, replicas=replicas)
        self._registration = Registration(redis, name)
        self._maintenance = Maintenance(redis, self._queue, abandoned_after_s=ABANDONED_AFTER_S)
        self._runner = JobRunner(self._queue, store, worker=name, heartbeat=self._heartbeat, stop=stop)
        self._next_heartbeat = self._next_maintenance = self._last_heartbeat = float("-inf")
        self._suspended = False
        self._redis_available = True

    @property
    def alive(self) -> bool:
        """Whether the worker reached its queue recently."""
        return time.monotonic() - self._last_heartbeat < ALIVE_S

    @property
    def ready(self) -> bool:
        """Whether the worker can do its work now: it reaches its queue, and its last write succeeded."""
        return self.alive and not self._runner.writer.problem

    def condition(self) -> Condition | None:
        """What to report of this worker now; None while it does not respond. Any thread may ask."""
        last_write_ns = self._runner.writer.last_write_ns
        if self._last_heartbeat == float("-inf"):
            return "starting", "", last_write_ns
        if not self.alive:
            return None
        if problem := self._runner.writer.problem:
            return "store_unwritable", problem, last_write_ns
        return "ok", "paused by rq suspend" if self._suspended else "", last_write_ns

    def run(self, *, until_empty: bool = False) -> None:
        """Run until a stop is requested, through outages of Redis.

        Args:
            until_empty: return when no job waits.
        """
        while not self._stop.requested:
            try:
                self._begin()
                self._work(until_empty=until_empty)
                self._registration.end()
            except (RedisError, OSError) as error:
                self._unavailable(error)
            except Exception:
                log.exception("unexpected error; held jobs are requeued")
                self._stop.wait(RETRY_S)
            else:
                return

    def _begin(self) -> None:
        self._maintenance.reclaim(self._name, self._stop)
        self._registration.begin()

    def _work(self, *, until_empty: bool) -> None:
        while not self._stop.requested:
            self._run_periodic()
            dequeued = self._dequeue(0 if until_empty else DEQUEUE_WAIT_S)
            self._mark_available()
            began_s = time.monotonic()
            if dequeued.any:
                self._runner.run(dequeued)
                self._stop.wait(began_s + PERIOD_S - time.monotonic())
            elif until_empty:
                return

    def _run_periodic(self) -> None:
        """Periodic tasks, on the monotonic clock."""
        self._heartbeat()
        if time.monotonic() >= self._next_maintenance:
            self._maintenance.run()
            self._next_maintenance = time.monotonic() + MAINTENANCE_S

    def _dequeue(self, wait_s: float) -> Dequeued:
        if self._suspended:
            self._stop.wait(HEARTBEAT_S)
            return NOTHING_DEQUEUED
        try:
            return self._queue.dequeue(wait_s, GATHER_S)
        except OutOfMemoryError as error:  # only while no job waits: a script dequeues those that do
            log.warning("Redis is out of memory: %s", error)
            self._stop.wait(RETRY_S)
            return NOTHING_DEQUEUED

    def _heartbeat(self) -> None:
        if time.monotonic() >= self._next_heartbeat:
            self._suspended = self._registration.heartbeat()
            self._last_heartbeat = time.monotonic()
            self._next_heartbeat = self._last_heartbeat + HEARTBEAT_S

    def _mark_available(self) -> None:
        if not self._redis_available:
            log.info("Redis is available")
            self._redis_available = True

    def _unavailable(self, error: Exception) -> None:
        if self._redis_available:
            what = "Redis is unavailable"
            if isinstance(error, NotReplicated):
                what = "what was dequeued is not on the disks of enough replicas of Redis"
            log.warning("%s; held jobs are requeued on recovery: %s", what, error)
        self._redis_available = False
        self._stop.wait(RETRY_S)
