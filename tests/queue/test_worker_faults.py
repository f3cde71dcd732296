"""Faults of the worker, of Redis and of the clock: no message is lost, and no worker stands still."""

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from pipeline.message import Batch
from pipeline.queue import client as queue
from pipeline.queue import keys
from pipeline.store import StoreUnavailable
from tests.support.cutting_proxy import CuttingProxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, never, until
from tests.support.wall_clock import Clock
from tests.support.workers import (
    INTERMEDIATE,
    QUEUE,
    STARTED,
    FaultyStore,
    WorkerProcess,
    failed,
    kill_while_writing,
    send,
    stored,
    work,
    working,
)
from worker import worker as worker_module

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(tmp_path: Path, own_redis: RedisServer) -> Iterator[Start]:
    """Starts worker processes on ``own_redis``."""
    processes: list[WorkerProcess] = []

    def start(name: str = "worker-1", url: str = own_redis.url) -> WorkerProcess:
        processes.append(WorkerProcess(tmp_path, url, name))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


def is_registered(redis: Redis, name: str = "worker-1") -> bool:
    return bool(redis.hget(f"rq:worker:{name}", "last_heartbeat"))


def waiting(redis: Redis) -> list[bytes]:
    """The ids of the jobs that wait, oldest first."""
    return cast("list[bytes]", redis.lrange(QUEUE, 0, -1))


@pytest.mark.parametrize("delivered", [False, True], ids=["before Redis has it", "before its answer"])
def test_a_connection_that_breaks_at_the_requeue_of_a_dequeued_job_loses_nothing(
    redis: Redis, own_redis: RedisServer, start: Start, store: FaultyStore, delivered: bool
) -> None:
    elsewhere, redis = redis, own_redis.client()
    job_ids: list[bytes] = []

    def requeues(chunk: bytes) -> bool:
        return bool(job_ids) and job_ids[0] in chunk and b"LPUSH" in chunk.upper()

    proxy = CuttingProxy(own_redis.url.removeprefix("unix://"), requeues, delivered=delivered)
    start(url=proxy.url)
    until(lambda: is_registered(redis))
    send(elsewhere, range(10))
    job_ids += waiting(elsewhere)
    key = b"rq:job:" + job_ids[0]
    redis.restore(key, 0, elsewhere.dump(key) or b"")
    redis.rpush(INTERMEDIATE, *job_ids)  # what another worker dequeued before it was killed
    assert proxy.has_cut.wait(30)
    until(lambda: stored(store) == 10)
    until(lambda: redis.keys("rq:job:*") == [])
    assert failed(redis) == []
    proxy.close()


def test_a_sigterm_while_the_worker_starts_ends_it(own_redis: RedisServer, start: Start) -> None:
    redis = own_redis.client()
    redis.rpush(
        INTERMEDIATE, *(f"job-{number}" for number in range(3))
    )  # so that it waits a moment at its start
    process = start()
    until(lambda: any(client["name"] or client["cmd"] == "lrange" for client in redis.client_list()))
    process.signal(signal.SIGTERM)
    watch = Stopwatch()
    assert process.wait(60) == 0
    assert watch.seconds < 8


@pytest.mark.parametrize("after_s", [0.2, 0.35, 0.6, 1.0])
def test_a_sigterm_in_the_first_second_ends_it(own_redis: RedisServer, start: Start, after_s: float) -> None:
    process = start()
    time.sleep(after_s)
    process.signal(signal.SIGTERM)
    watch = Stopwatch()
    assert process.wait(60) in {0, -signal.SIGTERM}  # Python itself may not have started yet
    assert watch.seconds < 8


def test_a_stop_ends_a_worker_whose_redis_is_frozen(own_redis: RedisServer, start: Start) -> None:
    redis = own_redis.client()
    process = start()
    until(lambda: is_registered(redis))
    own_redis.freeze()
    process.signal(signal.SIGTERM)
    watch = Stopwatch()
    assert process.wait(30) == 0
    assert watch.seconds < 6


def test_a_stop_ends_a_worker_whose_redis_has_been_frozen_for_a_while(
    own_redis: RedisServer, start: Start
) -> None:
    redis = own_redis.client()
    process = start()
    until(lambda: is_registered(redis))
    own_redis.freeze()
    until(lambda: "Redis is unavailable" in process.text(), what="the worker knows it")
    process.signal(signal.SIGTERM)
    watch = Stopwatch()
    assert process.wait(30) == 0
    assert watch.seconds < 6


def test_a_worker_starts_again_after_an_execution_of_its_own_expired_and_it_was_killed(
    own_redis: RedisServer, start: Start, store: FaultyStore
) -> None:
    redis = own_redis.client()
    send(redis, [0])
    work(redis, store)  # makes the database
    with closing(sqlite3.connect(store.path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")  # the worker waits with the job it holds
        send(redis, [1, 2])
        frozen = start()
        until(lambda: redis.keys("rq:execution:*") != [])
        redis.delete(*redis.keys("rq:execution:*"))  # it was frozen for so long
        until(lambda: redis.keys("rq:execution:*") != [])  # and thaws
        assert all(redis.hexists(key, "created_at") for key in redis.keys("rq:execution:*"))
        frozen.kill()
        database.execute("ROLLBACK")
    again = start()
    until(lambda: stored(store) == 3, within_s=20)
    assert "KeyError" not in again.text()


def test_after_an_outage_of_redis_a_worker_requeues_its_own_jobs_at_once(
    own_redis: RedisServer, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ABANDONED_AFTER_S", 3600)  # it is not by waiting that it gets them
    redis = own_redis.client()
    written = threading.Event()
    store.fault = lambda batches: written.set()
    proxy = CuttingProxy(
        own_redis.url.removeprefix("unix://"), lambda chunk: written.is_set(), delivered=False
    )
    send(redis, [0, 1])
    with working(queue.connect(proxy.url), store):
        assert proxy.has_cut.wait(20)
        until(lambda: redis.keys("rq:job:*") == [] and redis.zcard(STARTED) == 0)
    assert stored(store) == 2
    proxy.close()


def test_a_worker_goes_on_after_redis_was_killed_with_its_jobs_under_way(
    own_redis: RedisServer, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    send(own_redis.client(), [0, 1])

    def lose_redis(batches: Sequence[Batch]) -> None:
        store.fault = lambda batches: None
        own_redis.kill()

    store.fault = lose_redis
    with working(own_redis.client(), store):
        until(lambda: stored(store) == 2)
        until(lambda: "Redis is unavailable" in caplog.text, what="the worker knows it")
        own_redis.start()
        redis = own_redis.client()
        until(lambda: redis.keys("rq:job:*") == [] and redis.zcard(STARTED) == 0)


def test_a_job_that_waits_for_the_store_stays_with_its_worker(
    redis: Redis, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ABANDONED_AFTER_S", 6)  # many heartbeats
    monkeypatch.setattr(worker_module, "MAINTENANCE_S", 0.2)

    def unavailable(batches: Sequence[Batch]) -> None:
        raise StoreUnavailable("unavailable")

    store.fault = unavailable
    other = FaultyStore(store.path)
    written: list[int] = []
    other.fault = lambda batches: written.append(len(batches))
    send(redis, [0])
    with working(redis, store):
        until(lambda: redis.zcard(STARTED) == 1)
        with working(redis, other, "worker-2"):
            assert never(lambda: written, for_s=10.0)
        store.fault = lambda batches: None
        until(lambda: stored(store) == 1)
    assert written == []


def test_an_id_whose_job_is_gone_is_recorded_and_reported_once(
    redis: Redis, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        send(redis, [number])
    gone = waiting(redis)[1]
    redis.delete(b"rq:job:" + gone)  # as a Redis does that evicts
    work(redis, store)
    work(redis, store, "worker-2")
    assert stored(store) == 2
    assert redis.hkeys(keys.LOST_JOBS) == [gone]
    reports = [record for record in caplog.records if gone.decode() in record.message]
    assert [record.levelname for record in reports] == ["ERROR"]
    assert "is gone from Redis" in reports[0].message


def test_a_started_job_that_is_gone_is_recorded_too(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0])
    (gone,) = waiting(redis)
    kill_while_writing(redis, store)
    redis.delete(b"rq:job:" + gone)
    redis.zincrby(STARTED, -1e9, cast("list[bytes]", redis.zrange(STARTED, 0, -1))[0])  # long ago
    with working(redis, store, "worker-2"):
        until(lambda: redis.hkeys(keys.LOST_JOBS) == [gone])
    assert redis.zcard(STARTED) == 0


def test_jobs_that_were_dequeued_and_not_started_are_requeued_in_their_order(
    own_redis: RedisServer, store: FaultyStore
) -> None:
    redis = own_redis.client()
    for number in range(5):
        send(redis, [number])
    order = [job_id.decode() for job_id in waiting(redis)]
    seen: list[list[str]] = []
    store.fault = lambda batches: seen.append([batch.id for batch in batches])
    proxy = CuttingProxy(
        own_redis.url.removeprefix("unix://"), lambda chunk: b"started_at" in chunk, delivered=False
    )
    work(queue.connect(proxy.url), store)
    work(redis, store)
    assert proxy.has_cut.is_set()
    assert seen == [order]
    proxy.close()


def test_jobs_of_a_killed_worker_go_back_in_their_order(redis: Redis, store: FaultyStore) -> None:
    for number in range(20):
        send(redis, [number])
    order = [job_id.decode() for job_id in waiting(redis)]
    kill_while_writing(redis, store)
    seen: list[list[str]] = []
    store.fault = lambda batches: seen.append([batch.id for batch in batches])
    work(redis, store)
    assert seen == [order]


def test_a_worker_empties_a_redis_that_has_no_memory_left(own_redis: RedisServer, store: FaultyStore) -> None:
    redis = own_redis.client()
    Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).enqueue("os.system", "true")
    for number in range(200):
        send(redis, [number])
    redis.sadd("rq:workers:messages", "rq:worker:long-gone")
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] - 1)
    with working(redis, store):
        until(lambda: stored(store) == 200)
        until(lambda: len(redis.keys("rq:job:*")) == 1)
    assert len(failed(redis)) == 1


def test_a_worker_without_jobs_outlives_a_redis_that_has_no_memory(
    own_redis: RedisServer, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    redis = own_redis.client()
    with working(redis, store) as worker:
        until(lambda: worker.alive)
        redis.config_set("maxmemory", 1)
        until(lambda: "out of memory" in caplog.text, what="the worker knows it")
        assert never(lambda: not worker.alive, for_s=1.0)
        redis.config_set("maxmemory", 0)
        send(redis, [0])
        until(lambda: stored(store) == 1)


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_clock_changes_nothing(
    redis: Redis, store: FaultyStore, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    clock = Clock(monkeypatch)
    send(redis, [0, 1])
    kill_while_writing(redis, store)
    with working(redis, store, "worker-2") as worker:
        until(lambda: worker.alive)
        clock.step(step_s)
        until(lambda: stored(store) == 2, within_s=20)
        assert worker.alive
    assert failed(redis) == []


def test_alive_says_so_after_a_step_back_when_redis_is_unavailable(
    own_redis: RedisServer, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(worker_module, "ALIVE_S", 2.0)
    with working(own_redis.client(), store) as worker:
        until(lambda: worker.alive)
        clock.step(-3600)
        own_redis.kill()
        until(lambda: not worker.alive, within_s=20)
