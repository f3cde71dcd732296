"""The queue worker: takes jobs from the queue and writes their messages to the store.

It takes what waits together, up to 64 jobs, and writes it together; a killed worker's jobs are taken up
again within seconds; while the store is unavailable the jobs it holds wait, with a heartbeat.
"""

import logging
import time

from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError

from pipeline.queue import client as queue
from pipeline.stop import Stop
from pipeline.store import Store
from worker.job_runner import JobRunner
from worker.maintenance import Maintenance
from worker.rq_adapter import RqQueue
from worker.rq_registration import Registration

ABANDONED_AFTER_S = 8
"""A job whose worker has given no sign of life for this long is run again."""

MAINTENANCE_S = 2.0
"""How often a worker looks for abandoned jobs."""

BEAT_S = 1.0
"""How often a worker says that it lives; each time is a write to disk."""

TAKE_WAIT_S = 1
"""How long Redis is asked to wait for a job: a stop waits as long, and the client's timeout is 2 s."""

PAUSE_S = 1.0
"""Between two tries while Redis is unavailable."""

ALIVE_S = ABANDONED_AFTER_S + MAINTENANCE_S

log = logging.getLogger("worker")


class Worker:
    """Writes jobs to ``store`` until ``stop``. Of the same name there may be one at a time."""

    def __init__(self, name: str, redis: Redis, store: Store, stop: Stop) -> None:
        self._name = name
        self._redis = redis
        self._stop = stop
        self._queue = RqQueue(redis, name, lease_s=ABANDONED_AFTER_S)
        self._registration = Registration(redis, name)
        self._maintenance = Maintenance(redis, self._queue, abandoned_after_s=ABANDONED_AFTER_S)
        self._runner = JobRunner(self._queue, store, worker=name, beat=self._heartbeat, stop=stop)
        self._next_beat = self._next_maintenance = self._last_beat = float("-inf")
        self._suspended = self._announced = False
        self._redis_available = True

    @property
    def alive(self) -> bool:
        """Whether the worker has reached its queue a short while ago."""
        return time.monotonic() - self._last_beat < ALIVE_S

    def run(self, *, until_empty: bool = False) -> None:
        """Work until a stop is requested, through outages of Redis.

        Args:
            until_empty: end where no job waits.
        """
        while not self._stop.requested:
            try:
                self._begin()
                self._work(until_empty=until_empty)
                self._registration.end()
            except (RedisError, OSError) as error:
                self._unavailable(error)
            except Exception:
                log.exception("unexpected error; what was held is taken up again")
                self._stop.wait(PAUSE_S)
            else:
                return

    def _begin(self) -> None:
        self._maintenance.reclaim(self._name, self._stop)
        self._registration.begin()
        if not self._announced:
            queue.record_start(self._redis, self._name)
            self._announced = True
        if not self._redis_available:
            log.info("Redis is available again")
            self._redis_available = True

    def _work(self, *, until_empty: bool) -> None:
        while not self._stop.requested:
            self._keep_up()
            ids = self._take(0 if until_empty else TAKE_WAIT_S)
            if ids:
                self._runner.run(ids)
            elif until_empty:
                return

    def _keep_up(self) -> None:
        """What is due by time, on a clock that nobody sets."""
        self._heartbeat()
        if time.monotonic() >= self._next_maintenance:
            self._maintenance.run()
            self._next_maintenance = time.monotonic() + MAINTENANCE_S

    def _take(self, wait_s: int) -> list[bytes]:
        if self._suspended:
            self._stop.wait(BEAT_S)
            return []
        try:
            return self._queue.take(wait_s)
        except OutOfMemoryError as error:  # only where no job waits: a script takes those that do
            log.warning("Redis has no memory left: %s", error)
            self._stop.wait(PAUSE_S)
            return []

    def _heartbeat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self._suspended = self._registration.heartbeat()
            self._last_beat = time.monotonic()
            self._next_beat = self._last_beat + BEAT_S

    def _unavailable(self, error: Exception) -> None:
        if self._redis_available:
            log.warning("Redis is unavailable; what was held is taken up again: %s", error)
        self._redis_available = False
        self._stop.wait(PAUSE_S)
