"""Persisting messages: what the queue and the registry of arrivals promise, on a real Redis."""

import itertools
import json
import time
from collections.abc import Callable, Sequence

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from consumer.admission import CHECK_S
from consumer.enqueuer import Enqueuer, Receipt
from consumer.rejections import QueueFull, QueueUnavailable, QueueUnfit
from pipeline.message import MAX_SENT_NS, Arrival, ClockOffset, Message
from pipeline.queue import client as queue
from pipeline.queue import keys, ledger, server_info
from tests.support.batches import NOON_NS, arrival
from tests.support.redis_server import RedisServer


def enqueuer(
    redis: Redis,
    *,
    queue_limit: int = 1_000,
    dedupe_window_s: int = 3_600,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> Enqueuer:
    return Enqueuer(
        redis,
        "consumer-1",
        queue_limit=queue_limit,
        dedupe_window_s=dedupe_window_s,
        clock=lambda: NOON_NS,
        monotonic_s=monotonic_s,
    )


def arrivals(numbers: Sequence[int], *, run: str = "run-1", at_ns: int = NOON_NS) -> list[Arrival]:
    return [arrival(number, run, at_ns + index, 3) for index, number in enumerate(numbers)]


def jobs(redis: Redis) -> list[Job]:
    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).jobs


def test_messages_that_come_together_wait_as_one_job(redis: Redis) -> None:
    receipts = enqueuer(redis).accept(arrivals([0, 1, 2]))
    assert receipts == [Receipt(NOON_NS + index, duplicate=False) for index in range(3)]
    (job,) = jobs(redis)
    assert [row[1] for row in job.args[0]["messages"]] == [0, 1, 2]
    assert queue.depth(redis) == 1


def test_a_job_is_json_and_names_its_function_by_path(redis: Redis) -> None:
    enqueuer(redis).accept(arrivals([0]))
    (job,) = jobs(redis)
    name, _, arguments, _ = json.loads(job.data)
    assert name == "consumer.job.store"
    assert arguments[0]["messages"] == [["run-1", 0, NOON_NS - 3_000_000, NOON_NS - 2_000_000, NOON_NS]]


def test_a_repeated_message_keeps_its_first_arrival_and_is_marked_in_its_job(redis: Redis) -> None:
    under_test = enqueuer(redis)
    under_test.accept(arrivals([0, 1]))
    receipts = under_test.accept(arrivals([2, 1, 0], at_ns=NOON_NS + 1_000_000_000))
    assert receipts == [
        Receipt(NOON_NS + 1_000_000_000, duplicate=False),
        Receipt(NOON_NS + 1, duplicate=True),
        Receipt(NOON_NS, duplicate=True),
    ]
    assert [job.meta for job in jobs(redis)] == [{}, {"duplicates": [1, 2]}]


@pytest.mark.parametrize(
    "moments",
    [
        (0, 7, 999_999_999, 1_000_000_000),
        (NOON_NS - 1, NOON_NS, NOON_NS + 1_000_000_001, NOON_NS + 86_400_000_000_001),
        (NOON_NS + 999_999_999, NOON_NS + 1_000_000_000, NOON_NS + 5, NOON_NS + 1_000_000_042),
        (MAX_SENT_NS - 3, MAX_SENT_NS - 1, MAX_SENT_NS - 2, MAX_SENT_NS),
    ],
)
def test_arrivals_are_kept_to_the_nanosecond(redis: Redis, moments: Sequence[int]) -> None:
    sent = [Arrival(Message("run-1", number, 0), at_ns) for number, at_ns in enumerate(moments)]
    under_test = enqueuer(redis)
    under_test.accept(sent)
    assert [receipt.arrived_ns for receipt in under_test.accept(sent)] == list(moments)
    (job,) = jobs(redis)
    assert int(redis.hget(job.key, "first_ns") or -1) == min(moments)
    ends = redis.hmget(keys.ledger_run("run-1"), ["first_ns", "last_ns"])
    assert [int(one or -1) for one in ends] == [min(moments), max(moments)]


def test_a_message_twice_in_one_request_counts_once(redis: Redis) -> None:
    receipts = enqueuer(redis).accept(arrivals([5, 5]))
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert receipts[1].arrived_ns == NOON_NS


def test_another_consumer_knows_what_was_accepted_before(redis: Redis) -> None:
    enqueuer(redis).accept(arrivals([0]))
    (receipt,) = enqueuer(redis).accept(arrivals([0], at_ns=NOON_NS + 9))
    assert receipt == Receipt(NOON_NS, duplicate=True)


def test_the_same_number_of_another_run_is_another_message(redis: Redis) -> None:
    under_test = enqueuer(redis)
    under_test.accept(arrivals([0]))
    (receipt,) = under_test.accept(arrivals([0], run="run-2"))
    assert not receipt.duplicate


def test_duplicates_are_counted_by_run(redis: Redis) -> None:
    under_test = enqueuer(redis)
    for _ in range(3):
        under_test.accept(arrivals([0, 1]) + arrivals([0], run="run-2"))
    runs = ledger.read(redis, ["run-1", "run-2", "run-3"]).runs
    assert [runs[f"run-{number}"].duplicates for number in (1, 2, 3)] == [4, 2, None]


def test_a_run_without_repeats_has_none(redis: Redis) -> None:
    enqueuer(redis).accept(arrivals([0, 1]))
    assert ledger.read(redis, ["run-1"]).runs["run-1"].duplicates == 0


def test_what_is_known_of_a_run_is_forgotten_after_the_window_and_not_before(redis: Redis) -> None:
    """Clients choose the names of runs: none of them may stay for ever."""
    under_test = enqueuer(redis, dedupe_window_s=77_000)
    under_test.accept(arrivals([0]), [ClockOffset("run-1", 5, 7), ClockOffset("run-2", 5, 7)])
    under_test.accept(arrivals([0]))
    redis.expire(keys.run("run-1"), 5)
    under_test.accept(arrivals([1]))  # each message of a run keeps it
    lasting = {key for key in redis.keys("fizzbuzz:*") if redis.ttl(key) == -1}
    bounded = {keys.WAITING, keys.WAITING_RUNS, keys.LEDGER, keys.LEDGER_RUNS, keys.ledger_run("run-1")}
    assert lasting == {key.encode() for key in bounded}  # workers bound the number of entries in the ledger
    assert all(76_900 < redis.ttl(keys.run(run)) <= 77_000 for run in ("run-1", "run-2"))
    assert ledger.read(redis, ["run-2"]).runs["run-2"].clock == ClockOffset("run-2", 5, 7)


def test_messages_that_wait_are_counted_without_repeats_and_each_job_knows_its_share(redis: Redis) -> None:
    under_test = enqueuer(redis)
    assert queue.waiting(redis) == 0
    under_test.accept(arrivals([0, 1, 2]))
    under_test.accept(arrivals([2, 2, 3], at_ns=NOON_NS + 9))
    assert [redis.hget(job.key, "messages") for job in jobs(redis)] == [b"3", b"1"]
    assert queue.waiting(redis) == 4


def test_repeats_alone_are_no_job(redis: Redis) -> None:
    """They count as no message that waits, so they could fill the queue without end."""
    under_test = enqueuer(redis)
    under_test.accept(arrivals([0, 1]))
    before = set(redis.keys("*"))
    receipts = under_test.accept(arrivals([1, 0], at_ns=NOON_NS + 9))
    assert receipts == [Receipt(NOON_NS + 1, duplicate=True), Receipt(NOON_NS, duplicate=True)]
    assert (queue.depth(redis), queue.waiting(redis)) == (1, 2)
    assert set(redis.keys("*")) == before


def test_arrivals_are_forgotten_after_the_window_and_not_before(redis: Redis) -> None:
    enqueuer(redis, dedupe_window_s=77_000).accept(arrivals([0, 250]))
    lifetimes = {key: redis.ttl(key) for key in redis.keys("fizzbuzz:arrival:*")}
    assert len(lifetimes) == 2
    assert all(76_900 < lifetime <= 77_000 for lifetime in lifetimes.values())


def test_a_full_queue_refuses_and_queues_nothing(redis: Redis) -> None:
    under_test = enqueuer(redis, queue_limit=2)
    under_test.accept(arrivals([0]))
    under_test.accept(arrivals([1]))
    with pytest.raises(QueueFull, match="the queue is full: 2 messages wait, 2 may"):
        under_test.accept(arrivals([2]))
    assert queue.depth(redis) == 2
    assert not redis.hexists("fizzbuzz:arrival:run-1:0", "2")


def test_the_limit_counts_messages_not_jobs(redis: Redis) -> None:
    under_test = enqueuer(redis, queue_limit=1_000)
    under_test.accept(arrivals(range(1_000)))
    assert queue.depth(redis) == 1
    with pytest.raises(QueueFull, match="1000 messages wait, 1000 may"):
        under_test.accept(arrivals([1_000]))


def test_a_queue_that_has_room_again_accepts(redis: Redis) -> None:
    under_test = enqueuer(redis, queue_limit=1)
    under_test.accept(arrivals([0]))
    with pytest.raises(QueueFull):
        under_test.accept(arrivals([1]))
    redis.decrby(keys.WAITING, 1)  # as a worker does that has stored it
    assert not under_test.accept(arrivals([1]))[0].duplicate


def test_what_was_accepted_outlives_a_redis_that_is_killed(own_redis: RedisServer) -> None:
    enqueuer(own_redis.client()).accept(arrivals([0, 1]))
    own_redis.kill()
    own_redis.start()
    redis = own_redis.client()
    assert queue.depth(redis) == 1
    assert [r.duplicate for r in enqueuer(redis).accept(arrivals([1, 2]))] == [True, False]


def test_a_redis_that_stops_is_unavailable_and_accepts_once_it_has_recovered(own_redis: RedisServer) -> None:
    under_test = enqueuer(own_redis.client())
    under_test.accept(arrivals([0]))
    own_redis.kill()
    with pytest.raises(QueueUnavailable):
        under_test.accept(arrivals([1]))
    own_redis.start()
    assert not under_test.accept(arrivals([1]))[0].duplicate


def test_a_frozen_redis_is_unavailable_and_repeating_is_harmless(own_redis: RedisServer) -> None:
    under_test = Enqueuer(queue.connect(own_redis.url), "consumer-1", queue_limit=10, dedupe_window_s=60)
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


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_can_evict_gets_no_message(redis: Redis, policy: str) -> None:
    seconds = itertools.count(0, CHECK_S)
    under_test = enqueuer(redis, monotonic_s=lambda: next(seconds))
    redis.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(QueueUnfit, match=f"maxmemory-policy {policy}.*set maxmemory-policy noeviction"):
            under_test.accept(arrivals([0]))
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    assert redis.keys("*") == []
    assert not under_test.accept(arrivals([0]))[0].duplicate


def test_a_redis_that_begins_to_evict_gets_no_further_message(redis: Redis) -> None:
    now_s = 0.0
    under_test = enqueuer(redis, monotonic_s=lambda: now_s)
    under_test.accept(arrivals([0]))
    redis.config_set("maxmemory-policy", "allkeys-lru")
    now_s += CHECK_S
    try:
        with pytest.raises(QueueUnfit):
            under_test.accept(arrivals([1]))
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_does_not_report_about_itself_is_used_as_it_is(redis: Redis) -> None:
    redis.acl_setuser("mute", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    path = redis.connection_pool.connection_kwargs["path"]
    mute = Redis(unix_socket_path=path, username="mute", password="any")
    info = server_info.read(mute)
    assert info == server_info.ServerInfo("", "", 0, 0)
    assert info.unfit is None


@pytest.mark.parametrize(
    ("version", "fit"),
    [
        ("5.0.14", False),
        ("6.0.16", False),
        ("6.1.240", False),
        ("6.2.0", True),
        ("8.2.3", True),
        ("10.0", True),
    ],
)
def test_redis_must_be_one_that_hands_jobs_over_without_a_gap(version: str, fit: bool) -> None:
    unfit = server_info.ServerInfo(version, "noeviction", 0, 0).unfit
    assert (unfit is None) == fit
    if unfit:
        assert version in unfit
        assert "6.2 or newer" in unfit
