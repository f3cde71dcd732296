"""The tracker keeps what could not be delivered: bounded, oldest first, until its delivery ends."""

import threading

from pipeline.message import Message
from producer.delivery_tracker import DeliveryTracker


def message(number: int) -> Message:
    return Message("run", number, sent_ns=number * 1_000)


def test_the_oldest_message_comes_first() -> None:
    tracker = DeliveryTracker(capacity=10)
    assert tracker.reserve(4)
    for number in (7, 2, 9, 4):
        tracker.defer(message(number))
    received = [tracker.next_deferred(0) for _ in range(4)]
    assert [one.number for one in received if one] == [2, 4, 7, 9]


def test_a_message_comes_out_as_it_went_in() -> None:
    tracker = DeliveryTracker(capacity=1)
    assert tracker.reserve(1)
    tracker.defer(message(5))
    assert tracker.next_deferred(0) == Message("run", 5, sent_ns=5_000)


def test_an_empty_tracker_gives_nothing() -> None:
    assert DeliveryTracker(capacity=1).next_deferred(0) is None


def test_no_more_capacity_is_given_than_there_is() -> None:
    tracker = DeliveryTracker(capacity=25)
    assert [tracker.reserve(10) for _ in range(3)] == [True, True, False]
    assert tracker.pending == 20


def test_capacity_is_free_again_only_when_a_delivery_ends() -> None:
    tracker = DeliveryTracker(capacity=1)
    assert tracker.reserve(1)
    tracker.defer(message(0))
    tracker.next_deferred(0)
    assert not tracker.reserve(1)
    tracker.release(deferred=True)
    assert tracker.reserve(1)


def test_a_waiting_sender_is_woken_by_a_new_message() -> None:
    tracker = DeliveryTracker(capacity=1)
    received: list[Message | None] = []
    sender = threading.Thread(target=lambda: received.append(tracker.next_deferred(10)))
    sender.start()
    assert tracker.reserve(1)
    tracker.defer(message(3))
    sender.join(10)
    assert received == [message(3)]


def test_it_is_done_when_no_message_is_pending() -> None:
    tracker = DeliveryTracker(capacity=2)
    assert tracker.wait_until_delivered(0)
    assert tracker.reserve(2)
    tracker.release()
    assert not tracker.wait_until_delivered(0)
    tracker.release()
    assert tracker.wait_until_delivered(0)
