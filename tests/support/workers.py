"""Workers for tests: in this process on a store that fails on request, and as processes of their own."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from consumer.enqueuer import Enqueuer
from pipeline.message import Batch
from pipeline.queue import keys
from pipeline.stop import Stop
from pipeline.store import Written
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import arrival
from tests.support.service_process import ServiceProcess
from worker.worker import Worker

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.store_process", "tests.support.workers"])

QUEUE = keys.RQ_QUEUE
INTERMEDIATE = keys.RQ_INTERMEDIATE
STARTED = keys.RQ_STARTED


class FaultyStore(SqliteStore):
    """SQLite that fails on request."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.fault: Callable[[Sequence[Batch]], None] = lambda batches: None
        self.fault_afterwards: Callable[[], None] = lambda: None

    def write(self, batches: Sequence[Batch]) -> Written:
        self.fault(batches)
        written = super().write(batches)
        self.fault_afterwards()
        return written


def send(redis: Redis, numbers: Sequence[int], *, run: str = "run-1") -> None:
    """Queue messages as one job, as the consumer does."""
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=1_000_000, dedupe_window_s=60)
    first_ns = time.time_ns()
    enqueuer.accept([arrival(number, run, first_ns + number, 3) for number in numbers])


def work(redis: Redis, store: SqliteStore, name: str = "worker-1") -> None:
    """Work until the queue is empty."""
    Worker(name, redis, store, Stop()).run(until_empty=True)


@contextmanager
def working(
    redis: Redis, store: SqliteStore, name: str = "worker-1", *, replicas: int = 0
) -> Iterator[Worker]:
    """A worker in a thread, stopped at the end."""
    stop = Stop()
    worker = Worker(name, redis, store, stop, replicas=replicas)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    try:
        yield worker
    finally:
        stop.request()
        thread.join(20)
    assert not thread.is_alive()


def is_paused(worker: Worker) -> bool:
    """Whether it knows that workers are suspended."""
    state, reason, _ = worker.condition() or ("", "", None)
    return (state, reason) == ("ok", "paused by rq suspend")


def kill_while_writing(redis: Redis, store: FaultyStore, name: str = "worker-1") -> None:
    """A worker of this name, a process of its own, starts what waits and is killed."""
    _kill(redis, store, name, afterwards=False)


def kill_after_writing(redis: Redis, store: FaultyStore, name: str = "worker-1") -> None:
    """A worker of this name, a process of its own, stores what waits and is killed before the jobs end."""
    _kill(redis, store, name, afterwards=True)


def _kill(redis: Redis, store: FaultyStore, name: str, *, afterwards: bool) -> None:
    options = redis.connection_pool.connection_kwargs
    address = {key: options.get(key) for key in ("path", "db", "username", "password")}
    process = _CONTEXT.Process(target=_work_and_die, args=(address, store.path, name, afterwards))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _work_and_die(address: dict[str, Any], path: Path, name: str, afterwards: bool) -> None:
    """In a process of its own: nothing of it runs after its SIGKILL, no ``finally`` either."""
    store = FaultyStore(path)
    if afterwards:
        store.fault_afterwards = lambda: os.kill(os.getpid(), signal.SIGKILL)
    else:
        store.fault = lambda batches: os.kill(os.getpid(), signal.SIGKILL)
    work(Redis(unix_socket_path=address.pop("path"), **address), store, name)


def kill_while_dequeuing(redis: Redis, jobs: int = 1) -> None:
    """A worker dequeues jobs and is killed before it starts them."""
    for _ in range(jobs):
        assert redis.lmove(QUEUE, INTERMEDIATE)


def stored(store: FaultyStore) -> int:
    """Messages that are in the store, by a reader of its own."""
    reader = SqliteStore(store.path)
    try:
        return reader.totals().stored
    finally:
        reader.close()


def failed(redis: Redis) -> list[Job]:
    registry = FailedJobRegistry(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    return [Job.fetch(job_id, redis, JSONSerializer) for job_id in registry.get_job_ids()]


def reason(job: Job) -> str:
    result = job.latest_result()
    return str(result.exc_string) if result else ""


class WorkerProcess(ServiceProcess):
    """``python -m worker`` on SQLite, which has started."""

    def __init__(self, directory: Path, redis_url: str, name: str = "worker-1", **settings: str) -> None:
        database = str(directory / "messages.db")
        given = {
            "REDIS_URL": redis_url,
            "FIZZBUZZ_STORE": "sqlite",
            "FIZZBUZZ_SQLITE_PATH": database,
            **settings,
        }
        super().__init__("worker", directory, name, **given)
        self.start()
