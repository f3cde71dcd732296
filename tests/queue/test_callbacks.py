"""RQ calls functions that a job names for its success and failure; our workers never do."""

from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue, SimpleWorker
from rq.serializers import JSONSerializer

from pipeline.queue.keys import QUEUE
from tests.support.batches import NOON_NS
from tests.support.waiting import until
from tests.support.workers import FaultyStore, failed, kill_while_writing, stored, work, working

CALLED: list[tuple[Any, ...]] = []
ROW = ["run-1", 0, NOON_NS, NOON_NS, NOON_NS]
NAME = "tests.queue.test_callbacks.called"


def called(*arguments: Any) -> None:
    """What somebody who may write Redis would like to have called."""
    CALLED.append(arguments)


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLED.clear()


def enqueue(redis: Redis, task: str = "consumer.job.store") -> None:
    callback = Callback(NAME)
    payload = {"consumer": "consumer-1", "queued_ns": NOON_NS, "messages": [ROW]}
    Queue(QUEUE, connection=redis, serializer=JSONSerializer).enqueue(
        task, payload, on_success=callback, on_failure=callback, on_stopped=callback
    )


def test_a_job_that_is_stored_calls_nothing(redis: Redis, store: FaultyStore) -> None:
    enqueue(redis)
    work(redis, store)
    assert stored(store) == 1
    assert CALLED == []


def test_a_job_that_fails_calls_nothing(redis: Redis, store: FaultyStore) -> None:
    enqueue(redis, "os.getcwd")
    work(redis, store)
    assert len(failed(redis)) == 1
    assert CALLED == []


def test_an_abandoned_job_calls_nothing_at_maintenance(redis: Redis, store: FaultyStore) -> None:
    enqueue(redis)
    kill_while_writing(redis, store, "worker-1")
    with working(redis, store, "worker-2"):
        until(lambda: stored(store) == 1)
    assert CALLED == []


def test_rqs_own_worker_calls_what_a_job_names(redis: Redis) -> None:
    """What the documentation warns of, and the proof that the jobs above could have been called."""
    enqueue(redis, "os.getcwd")
    SimpleWorker([QUEUE], connection=redis, serializer=JSONSerializer).work(burst=True)
    assert len(CALLED) == 1
