"""A run belongs to the first sender that claims it; decided in the transaction that queues messages."""

from dataclasses import replace

import pytest
from redis import Redis

from consumer.enqueuer import Enqueuer
from consumer.rejections import ForeignRun
from consumer.servicer import Call, commit
from pipeline.message import Arrival, ClockOffset, Message
from pipeline.queue import client as queue
from pipeline.queue import keys

WINDOW_S = 60


@pytest.fixture
def enqueuer(redis: Redis) -> Enqueuer:
    return Enqueuer(redis, "consumer-1", queue_limit=1_000, dedupe_window_s=WINDOW_S)


def arrival(number: int, run: str = "run-1") -> Arrival:
    return Arrival(Message(run, number, 1), 1_000 + number)


def send(enqueuer: Enqueuer, number: int, owner: str) -> bool:
    """Whether the message was accepted."""
    try:
        enqueuer.accept([arrival(number)], claims=[("run-1", owner)])
    except ForeignRun:
        return False
    return True


def test_a_run_is_the_first_owners(enqueuer: Enqueuer, redis: Redis) -> None:
    assert send(enqueuer, 0, "a")
    assert not send(enqueuer, 1, "b")
    assert not send(enqueuer, 1, "")
    assert send(enqueuer, 1, "a")
    assert (queue.depth(redis), queue.waiting(redis)) == (2, 2)


def test_a_run_that_was_begun_without_an_owner_is_open_to_all(enqueuer: Enqueuer) -> None:
    assert [send(enqueuer, number, owner) for number, owner in enumerate(("", "a", "b", ""))] == [True] * 4


def test_a_run_of_an_earlier_version_is_open_to_all(enqueuer: Enqueuer) -> None:
    enqueuer.accept([arrival(0)])
    assert send(enqueuer, 1, "a")
    assert send(enqueuer, 2, "b")


def test_a_refusal_changes_nothing(enqueuer: Enqueuer, redis: Redis) -> None:
    send(enqueuer, 0, "a")
    before = {key: redis.dump(key) for key in sorted(redis.keys("*"))}
    with pytest.raises(ForeignRun, match="the run run-1 belongs to another sender") as caught:
        enqueuer.accept(
            [arrival(5), arrival(0, "run-2")],
            [ClockOffset("run-1", 5, 7)],
            claims=[("run-1", "b"), ("run-2", "b")],
        )
    assert caught.value.claims == {("run-1", "b")}
    assert {key: redis.dump(key) for key in sorted(redis.keys("*"))} == before


def test_of_two_that_claim_a_new_run_at_once_the_first_gets_it(enqueuer: Enqueuer, redis: Redis) -> None:
    with pytest.raises(ForeignRun) as caught:
        enqueuer.accept([arrival(0), arrival(1)], claims=[("run-1", "a"), ("run-1", "b")])
    assert caught.value.claims == {("run-1", "b")}
    assert not redis.exists(keys.run("run-1")), "nobody owns what was not accepted"


def test_a_call_that_is_rejected_keeps_no_other_call_from_a_run(enqueuer: Enqueuer) -> None:
    enqueuer.accept([arrival(0, "theirs")], claims=[("theirs", "z")])
    first = call("a", arrival(0), arrival(1, "theirs"))
    second, third = call("b", arrival(2)), call("a", arrival(3, "other"))
    outcomes = commit(enqueuer, [first, second, third])
    assert isinstance(outcomes[0], ForeignRun)
    assert [type(outcome) for outcome in outcomes[1:]] == [list, list]
    (last,) = commit(enqueuer, [call("a", arrival(4))])
    assert isinstance(last, ForeignRun), "the run is the second one's"


def test_a_call_that_claims_a_run_for_two_keeps_no_other_call_from_it(enqueuer: Enqueuer) -> None:
    both = replace(call("a", arrival(0)), claims=[("run-1", "a"), ("run-1", "b")])
    outcomes = commit(enqueuer, [call("c", arrival(0, "other")), both, call("b", arrival(1))])
    assert [isinstance(outcome, ForeignRun) for outcome in outcomes] == [False, True, False]


def call(owner: str, *arrivals: Arrival) -> Call:
    claims = [(one.message.run, owner) for one in arrivals]
    return Call("consumer-1", arrivals, [], claims, is_wanted=lambda: True, time_left_s=lambda: 5.0)


def test_the_owner_is_forgotten_with_the_run_and_not_before(enqueuer: Enqueuer, redis: Redis) -> None:
    send(enqueuer, 0, "a")
    redis.expire(keys.run("run-1"), 5)
    send(enqueuer, 1, "a")
    assert redis.ttl(keys.run("run-1")) > WINDOW_S - 5
    redis.delete(keys.run("run-1"))
    assert send(enqueuer, 2, "b")


def test_a_repeat_of_the_owners_is_a_duplicate_and_no_refusal(enqueuer: Enqueuer) -> None:
    send(enqueuer, 0, "a")
    (receipt,) = enqueuer.accept([arrival(0)], claims=[("run-1", "a")])
    assert receipt.duplicate
