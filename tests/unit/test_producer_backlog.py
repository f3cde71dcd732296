"""The backlog keeps what could not leave: bounded, oldest first, until it is settled."""

import threading

from pipeline.message import Message
from producer.backlog import Backlog


def message(number: int) -> Message:
    return Message("run", number, sent_ns=number * 1_000)


def test_the_oldest_message_comes_first() -> None:
    backlog = Backlog(limit=10)
    assert backlog.reserve(4)
    for number in (7, 2, 9, 4):
        backlog.put(message(number))
    taken = [backlog.take(0) for _ in range(4)]
    assert [one.number for one in taken if one] == [2, 4, 7, 9]


def test_a_message_comes_out_as_it_went_in() -> None:
    backlog = Backlog(limit=1)
    assert backlog.reserve(1)
    backlog.put(message(5))
    assert backlog.take(0) == Message("run", 5, sent_ns=5_000)


def test_an_empty_backlog_gives_nothing() -> None:
    assert Backlog(limit=1).take(0) is None


def test_no_more_places_are_given_than_there_are() -> None:
    backlog = Backlog(limit=25)
    assert [backlog.reserve(10) for _ in range(3)] == [True, True, False]
    assert backlog.unsettled == 20


def test_a_place_is_free_again_only_when_its_message_is_settled() -> None:
    backlog = Backlog(limit=1)
    assert backlog.reserve(1)
    backlog.put(message(0))
    backlog.take(0)
    assert not backlog.reserve(1)
    backlog.settle(taken=True)
    assert backlog.reserve(1)


def test_a_taker_is_woken_by_a_new_message() -> None:
    backlog = Backlog(limit=1)
    taken: list[Message | None] = []
    taker = threading.Thread(target=lambda: taken.append(backlog.take(10)))
    taker.start()
    assert backlog.reserve(1)
    backlog.put(message(3))
    taker.join(10)
    assert taken == [message(3)]


def test_it_is_settled_when_no_message_is_left() -> None:
    backlog = Backlog(limit=2)
    assert backlog.wait_settled(0)
    assert backlog.reserve(2)
    backlog.settle(taken=False)
    assert not backlog.wait_settled(0)
    backlog.settle(taken=False)
    assert backlog.wait_settled(0)
