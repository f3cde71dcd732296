"""Jobs that nobody should have made: each ends in the failed registry, and never holds up the others."""

import json
import random
import string
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from pipeline.message import Batch
from pipeline.queue import client as queue
from pipeline.queue import keys
from tests.support.batches import NOON_NS
from tests.support.workers import FaultyStore, failed, kill_while_writing, reason, send, stored, work

NOW_NS = NOON_NS
ROW = ["run-1", 0, NOW_NS, NOW_NS, NOW_NS]


def carried(rows: Sequence[Any], **other: Any) -> dict[str, Any]:
    return {"consumer": "consumer-1", "queued_ns": NOW_NS, "messages": list(rows), **other}


def enqueue(redis: Redis, *arguments: Any, task: str = "consumer.job.store") -> Job:
    """Queue a job as any client of RQ can, without ``Retry``."""
    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).enqueue(task, *arguments)


def only_reason(redis: Redis) -> str:
    (job,) = failed(redis)
    return reason(job)


@pytest.mark.parametrize(
    "row",
    [
        ["run-2", {"a": 1}, NOW_NS, None, NOW_NS],
        ["run-2", 2**64, NOW_NS, None, NOW_NS],
        ["run-2", None, NOW_NS, None, NOW_NS],
        ["run-2", -1, NOW_NS, None, NOW_NS],
        ["run-2", 2**53, NOW_NS, None, NOW_NS],
        ["run-2", 1.5, NOW_NS, None, NOW_NS],
        ["run-2", True, NOW_NS, None, NOW_NS],
        ["run-2", "1", NOW_NS, None, NOW_NS],
        ["run 2", 1, NOW_NS, None, NOW_NS],
        ["r" * 65, 1, NOW_NS, None, NOW_NS],
        ["run-2\n", 1, NOW_NS, None, NOW_NS],
        [7, 1, NOW_NS, None, NOW_NS],
        ["run-2", 1, 2**63, None, NOW_NS],
        ["run-2", 1, NOW_NS, "noon", NOW_NS],
        ["run-2", 1, NOW_NS, None, None],
        ["run-2", 1, NOW_NS, None, 10**30],
        ["run-2", 1, NOW_NS, None],
        ["run-2", 1, NOW_NS, None, NOW_NS, 7],
        "run-2",
        None,
    ],
    ids=repr,
)
def test_a_malformed_message_is_set_aside_and_those_beside_it_are_stored(
    redis: Redis, store: FaultyStore, row: Any
) -> None:
    send(redis, [7])
    enqueue(redis, carried([ROW, row]))
    send(redis, [8])
    work(redis, store)
    assert stored(store) == 3
    assert "message 1: " in only_reason(redis)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ({},),
        (None,),
        ("true",),
        (carried([ROW]), 1),
        (carried([]),),
        (carried([ROW], consumer="a\nb"),),
        (carried([ROW], consumer=7),),
        (carried([ROW], queued_ns="now"),),
        (carried([ROW], other=1),),
        ({**carried([ROW]), "messages": {"0": ROW}},),
    ],
    ids=repr,
)
def test_a_malformed_job_is_set_aside_whole(
    redis: Redis, store: FaultyStore, arguments: tuple[Any, ...]
) -> None:
    enqueue(redis, *arguments)
    send(redis, [7])
    work(redis, store)
    assert stored(store) == 1
    assert "not a job of messages" in only_reason(redis)


def test_a_job_that_calls_something_else_is_not_called(redis: Redis, store: FaultyStore) -> None:
    enqueue(redis, carried([ROW]), task="os.system")
    work(redis, store)
    assert "os.system" in only_reason(redis)


@pytest.mark.parametrize("repeats", ['{"duplicates": "all"}', '{"duplicates": [null]}', "no JSON", "[]"])
def test_a_job_whose_repeats_cannot_be_read_is_set_aside(
    redis: Redis, store: FaultyStore, repeats: str
) -> None:
    job = enqueue(redis, carried([ROW]))
    redis.hset(job.key, "meta", repeats)
    work(redis, store)
    assert "not a job of messages" in only_reason(redis)


def test_a_job_without_its_data_is_set_aside_and_does_not_stop_a_requeue_of_all(
    redis: Redis, store: FaultyStore
) -> None:
    jobs = [enqueue(redis, carried([["run-1", number, NOW_NS, None, NOW_NS]])) for number in range(3)]
    redis.hdel(jobs[1].key, "data")
    work(redis, store)
    assert stored(store) == 2
    assert "has no data" in only_reason(redis)
    failed(redis)[0].requeue()
    work(redis, store)
    assert "not a job of messages" in only_reason(redis)


@pytest.mark.parametrize("field", ["created_at", "timeout", "result_ttl", "status", "retries_left"])
def test_a_damaged_field_that_only_rq_reads_hinders_nothing(
    redis: Redis, store: FaultyStore, field: str
) -> None:
    redis.hset(enqueue(redis, carried([ROW])).key, field, "garbage")
    redis.hset(enqueue(redis, {}).key, field, "garbage")
    work(redis, store)
    assert stored(store) == 1
    assert "not a job of messages" in only_reason(redis)


def test_a_key_of_another_type_is_set_aside(redis: Redis, store: FaultyStore) -> None:
    job = enqueue(redis, carried([ROW]))
    redis.delete(job.key)
    redis.set(job.key, "text")
    send(redis, [7])
    work(redis, store)
    assert stored(store) == 1
    assert "not a job of messages" in only_reason(redis)


def test_a_job_without_retries_is_requeued_after_its_worker_was_killed(
    redis: Redis, store: FaultyStore
) -> None:
    enqueue(redis, carried([ROW]))
    kill_while_writing(redis, store)
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


@pytest.mark.parametrize(
    "error", [OverflowError("too large"), TypeError("a dict"), ValueError("TLS"), RecursionError()], ids=repr
)
def test_an_error_that_nobody_foresaw_isolates_its_message(
    redis: Redis, store: FaultyStore, error: Exception
) -> None:
    def fail(batches: Sequence[Batch]) -> None:
        if any(arrival.message.number == 13 for batch in batches for arrival in batch.arrivals):
            raise error

    store.fault = fail
    send(redis, range(10))
    send(redis, range(10, 20))
    work(redis, store)
    assert stored(store) == 19
    assert f"run run-1 number 13: unexpected {type(error).__name__}" in only_reason(redis)


def test_of_2000_generated_jobs_each_valid_one_is_stored_and_every_other_set_aside(
    redis: Redis, store: FaultyStore
) -> None:
    dice = random.Random(7)
    valid = 0
    malformed = 0
    for number in range(2_000):
        if dice.random() < 0.5:
            send(redis, [number], run="valid")
            valid += 1
        else:
            _poison(redis, dice)
            malformed += 1
    work(redis, store)
    assert stored(store) == valid
    assert len(failed(redis)) == malformed
    assert all(reason(job) for job in failed(redis))
    assert queue.depth(redis) == 0


def _poison(redis: Redis, dice: random.Random) -> None:
    """A job that is none of ours: its data, its meta or its hash is wrong in some way."""
    job = enqueue(redis, carried([ROW]))
    match dice.randrange(6):
        case 0:
            redis.hset(job.key, "data", dice.randbytes(dice.randrange(200)))
        case 1:
            redis.hset(job.key, "data", zlib.compress(dice.randbytes(dice.randrange(200))))
        case 2:
            redis.hdel(job.key, "data")
        case 3:
            redis.hset(job.key, "meta", json.dumps({"duplicates": _anything_but_numbers(dice)}))
        case 4:
            row: list[Any] = ["poison", 1, NOW_NS, None, NOW_NS]
            row[dice.choice([0, 1, 2, 4])] = _no_field(dice)
            redis.hset(job.key, "data", _call(carried([row])))
        case _:
            redis.hset(job.key, "data", _call(_anything_but_numbers(dice)))


def _call(argument: Any) -> bytes:
    return json.dumps(["consumer.job.store", None, [argument], {}]).encode()


def _no_field(dice: random.Random) -> Any:
    """What is neither a run, nor a number, nor a time."""
    return dice.choice(
        [None, -1, 2**63, 10**30, -(10**30), 0.5, True, "", "a b", "\x00", "\ud800", [], [1], {"a": 1}]
    )


def _anything_but_numbers(dice: random.Random, depth: int = 0) -> Any:
    """JSON that is neither a list of integers nor a job's argument."""
    text = "".join(dice.choices(string.printable + "\u2028é\U0001f600", k=dice.randrange(1, 30)))
    if depth > 4 or dice.random() < 0.3:
        return dice.choice([text, True, -0.5, 1e308, {text: text}])
    if dice.random() < 0.5:
        return [_anything_but_numbers(dice, depth + 1) for _ in range(dice.randrange(1, 4))]
    return {text: _anything_but_numbers(dice, depth + 1)}
