"""The count of messages that wait: the worker's half of it."""

from collections.abc import Sequence

import pytest
from redis import Redis

from pipeline.message import Batch
from pipeline.queue import client as queue
from pipeline.queue.keys import WAITING
from pipeline.queue.ledger_repair import reconcile
from pipeline.store import MessageRejected
from tests.support.waiting import until
from tests.support.workers import (
    QUEUE,
    FaultyStore,
    failed,
    kill_while_dequeuing,
    kill_while_writing,
    send,
    work,
    working,
)


def send_counted(redis: Redis, numbers: Sequence[int]) -> None:
    """Queue messages as one job, and count those that are new, as the consumer does."""
    before = set(redis.keys("rq:job:*"))
    send(redis, numbers)
    (key,) = set(redis.keys("rq:job:*")) - before
    redis.hset(key, "messages", len(numbers))
    redis.set(WAITING, waiting(redis) + len(numbers))


def waiting(redis: Redis) -> int:
    return int(redis.get(WAITING) or 0)


def seen_at_the_end(redis: Redis, store: FaultyStore) -> list[int]:
    """What was counted at each write from now on."""
    seen: list[int] = []
    store.fault = lambda batches: seen.append(waiting(redis))
    return seen


def test_messages_wait_until_they_are_stored(redis: Redis, store: FaultyStore) -> None:
    seen = seen_at_the_end(redis, store)
    send_counted(redis, [0, 1, 2])
    send_counted(redis, [3, 4])
    work(redis, store)
    assert seen == [5]
    assert waiting(redis) == 0


def test_a_stored_job_subtracts_its_own_messages(redis: Redis, store: FaultyStore) -> None:
    def count_wrong(batches: Sequence[Batch]) -> None:
        redis.set(WAITING, 100)

    store.fault = count_wrong
    send_counted(redis, [0, 1, 2])
    work(redis, store)
    assert waiting(redis) == 97


def test_a_failed_job_waits_no_longer_and_counts_once(redis: Redis, store: FaultyStore) -> None:
    def refuse(batches: Sequence[Batch]) -> None:
        redis.set(WAITING, 100)
        raise MessageRejected("no")

    store.fault = refuse
    send_counted(redis, [0, 1, 2])
    work(redis, store)
    assert waiting(redis) == 97
    store.fault = lambda batches: None
    failed(redis)[0].requeue()
    reconcile(redis)
    assert waiting(redis) == 3
    work(redis, store)
    assert waiting(redis) == 0


def test_a_job_that_goes_back_to_the_queue_still_waits(redis: Redis, store: FaultyStore) -> None:
    send_counted(redis, [0, 1])
    kill_while_writing(redis, store)
    assert waiting(redis) == 2
    seen = seen_at_the_end(redis, store)
    work(redis, store)
    assert seen == [2]
    assert waiting(redis) == 0


def test_a_job_that_ends_twice_counts_once(redis: Redis, store: FaultyStore) -> None:
    send_counted(redis, [0, 1])

    def meanwhile(batches: Sequence[Batch]) -> None:
        store.fault = lambda batches: None
        work(redis, FaultyStore(store.path))  # as if it had recovered: runs the job again, and ends it
        redis.set(WAITING, 40)

    store.fault = meanwhile
    work(redis, store)
    assert waiting(redis) == 40


def test_it_never_goes_below_zero(redis: Redis, store: FaultyStore) -> None:
    send_counted(redis, [0, 1])
    redis.set(WAITING, 1)
    seen = seen_at_the_end(redis, store)
    kill_while_dequeuing(redis)
    work(redis, store)
    assert waiting(redis) == 0
    assert seen


@pytest.mark.parametrize("value", ["-7", "garbage", "1e9", "nan"])
def test_a_job_that_counts_nonsense_counts_nothing(redis: Redis, store: FaultyStore, value: str) -> None:
    send(redis, [0])
    (key,) = redis.keys("rq:job:*")
    redis.hset(key, "messages", value)
    work(redis, store)
    assert waiting(redis) == 0
    assert failed(redis) == []


def test_recounting_finds_the_jobs_wherever_they_are(redis: Redis, store: FaultyStore) -> None:
    send_counted(redis, [0])
    kill_while_writing(redis, store)
    send_counted(redis, [1, 2])
    kill_while_dequeuing(redis)
    send_counted(redis, [3, 4, 5])
    for wrong in ("77", "0", "-3"):
        redis.set(WAITING, wrong)
        reconcile(redis)
        assert waiting(redis) == 6


def test_recounting_finds_nothing_where_nothing_waits(redis: Redis) -> None:
    redis.set(WAITING, 77)
    reconcile(redis)
    assert waiting(redis) == 0


def test_more_than_a_thousand_jobs_are_not_recounted(redis: Redis) -> None:
    redis.set(WAITING, 77)
    redis.rpush(QUEUE, *map(str, range(1_001)))
    reconcile(redis)
    assert waiting(redis) == 77


def test_a_worker_recounts_by_itself(redis: Redis, store: FaultyStore) -> None:
    with working(redis, store) as worker:
        until(lambda: worker.alive)
        redis.set(WAITING, 77)
        until(lambda: waiting(redis) == 0)
    assert queue.depth(redis) == 0
