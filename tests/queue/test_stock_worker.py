"""RQ's own ``rq worker`` can do the jobs too."""

import time
from pathlib import Path

import pytest
from redis import Redis
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from pipeline.queue import client as queue
from pipeline.queue import keys
from tests.support.workers import FaultyStore, failed, reason, send, stored
from worker import stock_worker


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    path = tmp_path / "messages.db"
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(path))
    return FaultyStore(path)


def work(redis: Redis, *, tries: int = 5) -> None:
    worker = SimpleWorker([keys.QUEUE], connection=redis, serializer=JSONSerializer)
    worker.work(burst=True, max_jobs=tries, logging_level="WARNING")


def test_it_stores_the_jobs(redis: Redis, database: FaultyStore) -> None:
    send(redis, [0, 1])
    send(redis, [1, 2])
    work(redis)
    assert stored(database) == 3


def test_a_job_of_repeats_only_is_done(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIZZBUZZ_STORE", "influxdb")
    monkeypatch.setenv("INFLUXDB_URL", "http://127.0.0.1:9")
    send(redis, [0])
    redis.delete("rq:queue:messages")  # the first job is done
    send(redis, [0])
    work(redis)
    assert queue.depth(redis) == 0
    assert failed(redis) == []


def test_an_unavailable_store_is_retried_at_a_gentle_pace(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(tmp_path / "file" / "messages.db"))
    monkeypatch.setattr(stock_worker, "TIMEOUT_S", 0.5)
    send(redis, [0])
    began = time.monotonic()
    work(redis, tries=3)
    assert time.monotonic() - began > 1.5
    assert queue.depth(redis) == 1
    assert failed(redis) == []
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(tmp_path / "messages.db"))
    work(redis)
    assert stored(FaultyStore(tmp_path / "messages.db")) == 1


def test_what_can_never_be_stored_is_set_aside_and_not_tried_again(
    redis: Redis, database: FaultyStore
) -> None:
    send(redis, [0])
    (key,) = redis.keys("rq:job:*")
    redis.hset(key, "data", b'["consumer.job.store", null, [{"messages": 7}], {}]')
    work(redis)
    (job,) = failed(redis)
    assert "not a job of messages" in reason(job)
    assert queue.depth(redis) == 0


def test_its_jobs_leave_the_count_of_waiting_messages(redis: Redis, database: FaultyStore) -> None:
    send(redis, [0, 1])
    (key,) = redis.keys("rq:job:*")
    redis.hset(key, "messages", 2)
    redis.set(keys.WAITING, 5)
    work(redis)
    assert int(redis.get(keys.WAITING) or 0) == 3
