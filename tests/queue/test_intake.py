"""Making messages safe: what the queue and the registry of arrivals promise, on a real Redis."""

import json
from collections.abc import Sequence

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from consumer.intake import Intake, QueueFull, QueueUnavailable, Receipt
from pipeline import queue
from pipeline.message import Arrival
from tests.batches import NOON_NS, arrival
from tests.redis_server import RedisServer


def intake(redis: Redis, *, queue_limit: int = 1_000, dedupe_window_s: int = 3_600) -> Intake:
    return Intake(
        redis,
        "consumer-1",
        queue_limit=queue_limit,
        dedupe_window_s=dedupe_window_s,
        clock=lambda: NOON_NS,
    )


def arrivals(numbers: Sequence[int], *, run: str = "run-1", at_ns: int = NOON_NS) -> list[Arrival]:
    return [arrival(number, run, at_ns + index, 3) for index, number in enumerate(numbers)]


def jobs(redis: Redis) -> list[Job]:
    return Queue(queue.QUEUE, connection=redis, serializer=JSONSerializer).jobs


def test_messages_that_come_together_wait_as_one_job(redis: Redis) -> None:
    receipts = intake(redis).accept(arrivals([0, 1, 2]))
    assert receipts == [Receipt(NOON_NS + index, duplicate=False) for index in range(3)]
    (job,) = jobs(redis)
    assert [row[1] for row in job.args[0]["messages"]] == [0, 1, 2]
    assert queue.depth(redis) == 1


def test_a_job_is_json_and_names_its_function_by_path(redis: Redis) -> None:
    intake(redis).accept(arrivals([0]))
    (job,) = jobs(redis)
    name, _, arguments, _ = json.loads(job.data)
    assert name == "consumer.job.store"
    assert arguments[0]["messages"] == [["run-1", 0, NOON_NS - 3_000_000, NOON_NS - 2_000_000, NOON_NS]]


def test_a_repeated_message_keeps_its_first_arrival_and_is_marked_in_its_job(redis: Redis) -> None:
    under_test = intake(redis)
    under_test.accept(arrivals([0, 1]))
    receipts = under_test.accept(arrivals([2, 1, 0], at_ns=NOON_NS + 1_000_000_000))
    assert receipts == [
        Receipt(NOON_NS + 1_000_000_000, duplicate=False),
        Receipt(NOON_NS + 1, duplicate=True),
        Receipt(NOON_NS, duplicate=True),
    ]
    assert [job.meta for job in jobs(redis)] == [{}, {"duplicates": [1, 2]}]


def test_a_message_twice_in_one_request_counts_once(redis: Redis) -> None:
    receipts = intake(redis).accept(arrivals([5, 5]))
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert receipts[1].arrived_ns == NOON_NS


def test_another_consumer_knows_what_was_accepted_before(redis: Redis) -> None:
    intake(redis).accept(arrivals([0]))
    (receipt,) = intake(redis).accept(arrivals([0], at_ns=NOON_NS + 9))
    assert receipt == Receipt(NOON_NS, duplicate=True)


def test_the_same_number_of_another_run_is_another_message(redis: Redis) -> None:
    under_test = intake(redis)
    under_test.accept(arrivals([0]))
    (receipt,) = under_test.accept(arrivals([0], run="run-2"))
    assert not receipt.duplicate


def test_duplicates_are_counted_by_run(redis: Redis) -> None:
    under_test = intake(redis)
    for _ in range(3):
        under_test.accept(arrivals([0, 1]) + arrivals([0], run="run-2"))
    assert (queue.duplicates(redis, "run-1"), queue.duplicates(redis, "run-2")) == (4, 2)
    assert queue.duplicates(redis, "run-3") == 0


def test_arrivals_are_forgotten_after_the_window_and_not_before(redis: Redis) -> None:
    intake(redis, dedupe_window_s=77).accept(arrivals([0, 250]))
    lifetimes = {key: redis.ttl(key) for key in redis.keys("fizzbuzz:arrival:*")}
    assert len(lifetimes) == 2
    assert set(lifetimes.values()) <= {76, 77}


def test_a_full_queue_refuses_and_queues_nothing(redis: Redis) -> None:
    under_test = intake(redis, queue_limit=2)
    under_test.accept(arrivals([0]))
    under_test.accept(arrivals([1]))
    with pytest.raises(QueueFull, match="2 jobs wait, 2 may"):
        under_test.accept(arrivals([2]))
    assert queue.depth(redis) == 2
    assert not redis.hexists("fizzbuzz:arrival:run-1:0", "2")


def test_a_queue_that_has_room_again_accepts(redis: Redis) -> None:
    under_test = intake(redis, queue_limit=1)
    under_test.accept(arrivals([0]))
    with pytest.raises(QueueFull):
        under_test.accept(arrivals([1]))
    redis.delete("rq:queue:messages")
    assert not under_test.accept(arrivals([1]))[0].duplicate


def test_a_redis_without_memory_is_a_full_queue(redis: Redis) -> None:
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueFull):
            intake(redis).accept(arrivals([0]))
    finally:
        redis.config_set("maxmemory", 0)
    assert redis.keys("fizzbuzz:arrival:*") == []
    assert not intake(redis).accept(arrivals([0]))[0].duplicate


def test_what_was_accepted_outlives_a_redis_that_is_killed(own_redis: RedisServer) -> None:
    intake(own_redis.client()).accept(arrivals([0, 1]))
    own_redis.kill()
    own_redis.start()
    redis = own_redis.client()
    assert queue.depth(redis) == 1
    assert [r.duplicate for r in intake(redis).accept(arrivals([1, 2]))] == [True, False]


def test_a_redis_that_is_away_is_unavailable_and_accepts_once_it_is_back(own_redis: RedisServer) -> None:
    under_test = intake(own_redis.client())
    under_test.accept(arrivals([0]))
    own_redis.kill()
    with pytest.raises(QueueUnavailable):
        under_test.accept(arrivals([1]))
    own_redis.start()
    assert not under_test.accept(arrivals([1]))[0].duplicate


def test_a_frozen_redis_is_unavailable_and_repeating_is_harmless(own_redis: RedisServer) -> None:
    under_test = Intake(
        queue.connect(own_redis.url, timeout_s=0.2), "consumer-1", queue_limit=10, dedupe_window_s=60
    )
    under_test.accept(arrivals([0]))
    own_redis.freeze()
    with pytest.raises(QueueUnavailable):
        under_test.accept(arrivals([1]))
    own_redis.thaw()
    under_test.accept(arrivals([1]))
    stored = [
        row[1]
        for job in jobs(own_redis.client())
        for index, row in enumerate(job.args[0]["messages"])
        if index not in job.meta.get("duplicates", ())
    ]
    assert stored == [0, 1]
