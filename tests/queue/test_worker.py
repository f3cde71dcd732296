"""What the queue's worker promises, on a real Redis and a real SQLite."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from redis import Redis, RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from consumer import writing
from consumer.intake import Intake
from consumer.worker import ABANDONED_AFTER_S, StoreQueue, StoreWorker
from pipeline import queue
from pipeline.message import Batch
from pipeline.store import MessageRejected, StoreUnavailable
from pipeline.store.sqlite import SqliteStore
from tests.batches import arrival
from tests.redis_server import RedisServer


class FaultyStore(SqliteStore):
    """SQLite that fails as a test tells it to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fault: Callable[[Sequence[Batch]], None] = lambda batches: None

    def write(self, batches: Sequence[Batch]) -> None:
        self.fault(batches)
        super().write(batches)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    store = FaultyStore(tmp_path / "messages.db")
    yield store
    store.close()


def send(redis: Redis, numbers: Sequence[int]) -> None:
    intake = Intake(redis, "consumer-1", queue_limit=1_000, dedupe_window_s=60)
    first_ns = time.time_ns()
    intake.accept([arrival(number, "run-1", first_ns + number, 3) for number in numbers])


def work(redis: Redis, store: SqliteStore, name: str = "worker-1") -> None:
    """Work until the queue is empty."""
    worker = StoreWorker(name, redis, store)
    worker.reclaim()
    worker.work(burst=True, logging_level=None)


def stored(store: SqliteStore) -> int:
    return sum(run.stored for run in store.changes(None)[0])


def failed(redis: Redis) -> list[Job]:
    registry = StoreQueue(queue.QUEUE, connection=redis, serializer=JSONSerializer).failed_job_registry
    return [Job.fetch(job_id, redis, JSONSerializer) for job_id in registry.get_job_ids()]


def test_a_job_is_stored_and_leaves_nothing_behind(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1, 2])
    work(redis, store)
    assert stored(store) == 3
    assert redis.keys("rq:job:*") == []
    assert redis.keys("rq:queue:*") == []


def test_jobs_that_wait_together_are_stored_together(redis: Redis, store: FaultyStore) -> None:
    writes: list[int] = []
    store.fault = lambda batches: writes.append(len(batches))
    for number in range(100):
        send(redis, [number])
    work(redis, store)
    assert writes == [64, 36]
    assert stored(store) == 100
    assert redis.keys("rq:job:*") == []


def test_a_worker_of_rq_can_do_the_jobs_too(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(tmp_path / "messages.db"))
    send(redis, [0, 1])
    send(redis, [1, 2])
    SimpleWorker([queue.QUEUE], connection=redis, serializer=JSONSerializer).work(burst=True)
    assert stored(SqliteStore(tmp_path / "messages.db")) == 3


def test_a_foreign_job_is_kept_aside_and_the_others_are_stored(redis: Redis, store: FaultyStore) -> None:
    foreign = Queue(queue.QUEUE, connection=redis, serializer=JSONSerializer)
    foreign.enqueue("os.system", "true")
    redis.hset(foreign.enqueue("consumer.job.store", {}).key, "data", b"no JSON")
    send(redis, [0])
    work(redis, store)
    assert stored(store) == 1
    assert len(failed(redis)) == 2


def test_what_an_earlier_receipt_brought_is_left_out(redis: Redis, store: FaultyStore) -> None:
    written: list[list[list[int]]] = []
    store.fault = lambda batches: written.append(
        [[a.message.number for a in batch.arrivals] for batch in batches]
    )
    send(redis, [0, 1])
    send(redis, [1, 2])
    send(redis, [0, 1])
    work(redis, store)
    assert written == [[[0, 1], [2]]]
    assert stored(store) == 3


def test_a_job_waits_while_the_store_is_away_with_its_own_arrival_times(
    redis: Redis, store: FaultyStore
) -> None:
    tries = iter(range(4))

    def away_three_times(batches: Sequence[Batch]) -> None:
        if next(tries) < 3:
            raise StoreUnavailable("away")

    store.fault = away_three_times
    send(redis, [0])
    (job,) = Queue(queue.QUEUE, connection=redis, serializer=JSONSerializer).jobs
    arrived_ns = job.args[0]["messages"][0][4]
    with patch.object(writing, "FIRST_WAIT_S", 0.001):
        work(redis, store)
    (run,), _ = store.changes(None)
    assert run.first_arrived_ns == arrived_ns
    assert failed(redis) == []


def test_a_job_that_can_never_be_stored_is_kept_with_its_reason_and_can_be_requeued(
    redis: Redis, store: FaultyStore
) -> None:
    def refuse(batches: Sequence[Batch]) -> None:
        raise MessageRejected("beyond the retention")

    store.fault = refuse
    send(redis, [7])
    work(redis, store)
    (job,) = failed(redis)
    assert "run run-1 number 7: beyond the retention" in str(job.latest_result().exc_string)  # type: ignore[union-attr]
    store.fault = lambda batches: None
    job.requeue()
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


def test_only_the_messages_at_fault_are_kept_back(redis: Redis, store: FaultyStore) -> None:
    def refuse_odd_sixes(batches: Sequence[Batch]) -> None:
        if any(a.message.number in {6, 13} for batch in batches for a in batch.arrivals):
            raise MessageRejected("unlucky")

    store.fault = refuse_odd_sixes
    send(redis, list(range(20)))
    work(redis, store)
    assert stored(store) == 18
    (job,) = failed(redis)
    assert "2 of 20 messages rejected" in str(job.latest_result().exc_string)  # type: ignore[union-attr]


def test_a_stop_while_the_store_is_away_puts_the_job_back(redis: Redis, store: FaultyStore) -> None:
    def away_and_stop(batches: Sequence[Batch]) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise StoreUnavailable("away")

    store.fault = away_and_stop
    send(redis, [0])
    worker = StoreWorker("worker-1", redis, store)
    with restored_signals():
        worker.work(logging_level=None)
    assert worker.stop_requested
    assert queue.depth(redis) == 1
    store.fault = lambda batches: None
    work(redis, store)
    assert stored(store) == 1


def test_a_stop_finishes_the_job_at_hand(redis: Redis, store: FaultyStore) -> None:
    store.fault = lambda batches: os.kill(os.getpid(), signal.SIGTERM)
    send(redis, [0])
    worker = StoreWorker("worker-1", redis, store)
    with restored_signals():
        worker.work(logging_level=None)
    assert stored(store) == 1
    assert redis.keys("rq:job:*") == []


def test_a_stop_is_heeded_while_redis_is_away(own_redis: RedisServer, store: FaultyStore) -> None:
    worker = StoreWorker("worker-1", own_redis.client(), store)
    began = time.monotonic()
    threading.Timer(0.5, own_redis.kill).start()
    threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    with restored_signals(), pytest.raises(RedisError):
        worker.work(logging_level=None)
    assert worker.stop_requested
    assert time.monotonic() - began < 8


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the worker runs after it."""


def kill_while_writing(redis: Redis, store: FaultyStore, name: str) -> None:
    """A worker of this name takes a job and is gone."""

    def die(batches: Sequence[Batch]) -> None:
        raise Killed

    store.fault = die
    worker = StoreWorker(name, redis, store)
    worker.register_birth()
    taken = worker.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken
    with pytest.raises(Killed):
        worker.execute_job(*taken)
    store.fault = lambda batches: None


def test_a_worker_that_comes_back_takes_its_own_job_up_at_once(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    kill_while_writing(redis, store, "worker-1")
    assert queue.depth(redis) == 0
    work(redis, store, "worker-1")
    assert stored(store) == 2
    assert failed(redis) == []


def test_another_worker_takes_an_abandoned_job_up_within_15_seconds(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    kill_while_writing(redis, store, "worker-1")
    started = time.monotonic()
    other = StoreWorker("worker-2", redis, store)
    stop_when(lambda: stored_elsewhere(store) == 2)
    with restored_signals():
        other.work(logging_level=None)
    assert stored(store) == 2
    assert ABANDONED_AFTER_S - 1 < time.monotonic() - started < 15


def test_a_worker_that_starts_takes_up_at_once_what_another_took_and_never_started(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0, 1])
    send(redis, [2, 3])
    gone = StoreWorker("worker-1", redis, store)
    gone.register_birth()
    assert gone.dequeue_job_and_maintain_ttl(timeout=None)
    work(redis, store, "worker-2")
    assert stored(store) == 4
    assert redis.llen("rq:queue:messages:intermediate") == 0
    assert failed(redis) == []


def test_a_job_that_was_taken_but_never_started_is_taken_up_again(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    gone = StoreWorker("worker-1", redis, store)
    gone.register_birth()
    assert gone.dequeue_job_and_maintain_ttl(timeout=None)
    assert redis.llen("rq:queue:messages:intermediate") == 1
    started = time.monotonic()
    stop_when(lambda: stored_elsewhere(store) == 2)
    with restored_signals():
        StoreWorker("worker-2", redis, store).work(logging_level=None)
    assert stored(store) == 2
    assert redis.llen("rq:queue:messages:intermediate") == 0
    assert time.monotonic() - started < 15


def test_a_job_being_cut_short_often_never_fails_it(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0])
    for _ in range(20):
        kill_while_writing(redis, store, "worker-1")
        StoreWorker("worker-1", redis, store).reclaim()
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


def test_a_worker_that_was_only_frozen_writes_nothing_twice(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    frozen = StoreWorker("worker-1", redis, store)
    frozen.register_birth()
    job, where = frozen.dequeue_job_and_maintain_ttl(timeout=None) or (None, None)
    assert job
    assert where

    def meanwhile(batches: Sequence[Batch]) -> None:
        store.fault = lambda batches: None
        work(redis, SqliteStore(store._path), "worker-1")  # as if it had come back: reclaims the job

    store.fault = meanwhile
    frozen.execute_job(job, where)
    work(redis, store)
    assert stored(store) == 2
    assert failed(redis) == []
    assert queue.depth(redis) == 0


def stored_elsewhere(store: SqliteStore) -> int:
    reader = SqliteStore(store._path)
    try:
        return stored(reader)
    finally:
        reader.close()


def stop_when(condition: Callable[[], bool]) -> None:
    """Send this process SIGTERM, which a worker catches, once ``condition`` holds, or after 20 s."""

    def watch() -> None:
        until = time.monotonic() + 20
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class restored_signals:  # noqa: N801 - reads as a function
    """Puts the signal handlers back that a worker sets."""

    def __enter__(self) -> None:
        self._handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
