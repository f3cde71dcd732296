"""Runs a queue worker: ``python -m consumer.run_worker``."""

import logging
import os
import signal
import sys
import time
from types import FrameType

from redis import Redis, RedisError

from consumer.worker import StoreWorker
from pipeline import logs, ops, queue
from pipeline.settings import load_or_exit
from pipeline.store import Store, open_store

NICENESS = 10
"""Nobody waits for the worker: where processors are short, those go first who answer senders."""

PAUSE_S = 1.0
"""Between two tries while Redis is away."""

log = logging.getLogger("worker")


class _Loop:
    """Works until told to stop; while Redis is away it tries again and again."""

    def __init__(self, name: str, redis: Redis, store: Store) -> None:
        self._name = name
        self._redis = redis
        self._store = store
        self._stopping = False
        self._worker: StoreWorker | None = None

    @property
    def alive(self) -> bool:
        return self._worker is not None and self._worker.alive

    def run(self) -> None:
        while not self._stopping:
            self._catch_signals()
            try:
                self._work()
            except (RedisError, OSError) as error:
                log.warning("Redis is away: %s", error)
                time.sleep(PAUSE_S)

    def _work(self) -> None:
        worker = StoreWorker(self._name, self._redis, self._store)
        worker.reclaim()
        if not self._worker:
            queue.announce(self._redis, self._name)
        self._worker = worker
        try:
            worker.work(logging_level=None)
        finally:
            self._stopping = worker.stop_requested

    def _catch_signals(self) -> None:
        """RQ catches them only while it works."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True


def main() -> int:
    """Work until SIGTERM or SIGINT; 0 after a clean stop, 2 where a setting makes no sense."""
    settings = load_or_exit("worker")
    logs.setup(settings.name, settings.log_level)
    os.nice(NICENESS)
    store = open_store(settings)
    loop = _Loop(settings.name, queue.connect(settings.redis_url), store)
    ops.serve(settings, lambda: loop.alive)
    log.info("working on the queue, storing to %s", settings.store)
    loop.run()
    store.close()
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
