"""Fan-out: every stream gets the newest, no stream blocks another."""

from collections.abc import Iterator

import gevent

from tests.support.snapshots import snapshot
from web.broadcaster import KEPT_EVENTS, Broadcaster
from web.stream_event import StreamEvent


def broadcaster(first: int, *others: int) -> Broadcaster:
    made = Broadcaster(snapshot(first))
    for number in others:
        made.publish(snapshot(number))
    return made


def receive(stream: Iterator[StreamEvent | None], count: int) -> list[int | None]:
    events = (next(stream) for _ in range(count))
    return [event.id if event else None for event in events]


def test_a_stream_begins_at_once_with_the_newest() -> None:
    assert receive(broadcaster(1, 2, 3).follow(None), 1) == [3]


def test_a_stream_gets_each_snapshot_as_it_is_published() -> None:
    each = broadcaster(1)
    stream = each.follow(None)
    got = receive(stream, 1)
    for number in (2, 3):
        each.publish(snapshot(number))
        got += receive(stream, 1)
    assert got == [1, 2, 3]


def test_a_slow_stream_gets_the_newest_and_no_queue() -> None:
    each = broadcaster(1)
    stream = each.follow(None)
    receive(stream, 1)
    for number in range(2, 1_000):
        each.publish(snapshot(number))
    assert receive(stream, 1) == [999]
    each.publish(snapshot(1_000))
    assert receive(stream, 1) == [1_000]


def test_a_client_that_reconnects_gets_what_it_missed_and_then_the_newest() -> None:
    each = broadcaster(1, 2, 3, 4)
    stream = each.follow(2)
    assert receive(stream, 2) == [3, 4]
    each.publish(snapshot(5))
    assert receive(stream, 1) == [5]


def test_what_is_no_longer_kept_is_not_sent_again() -> None:
    each = broadcaster(*range(1, 201))
    assert receive(each.follow(1), KEPT_EVENTS) == list(range(200 - KEPT_EVENTS + 1, 201))


def test_a_client_that_missed_nothing_waits_for_the_next() -> None:
    each = broadcaster(1, 2)
    gevent.spawn_later(0.01, each.publish, snapshot(3))
    assert receive(each.follow(2, heartbeat_s=5), 1) == [3]


def test_an_id_from_the_future_gets_the_newest_at_once() -> None:
    each = broadcaster(1, 2)
    stream = each.follow(10**15)
    assert receive(stream, 1) == [2]
    each.publish(snapshot(3))
    assert receive(stream, 1) == [3]


def test_a_stream_without_events_gets_heartbeats() -> None:
    each = broadcaster(1)
    stream = each.follow(None, heartbeat_s=0.001)
    assert receive(stream, 3) == [1, None, None]
    each.publish(snapshot(2))
    assert receive(stream, 1) == [2]


def test_all_streams_wake_at_one_snapshot() -> None:
    each = broadcaster(1)
    streams = [gevent.spawn(lambda: receive(each.follow(1, heartbeat_s=5), 1)) for _ in range(500)]
    gevent.sleep(0.01)
    each.publish(snapshot(2))
    gevent.joinall(streams, timeout=5)
    assert [stream.value for stream in streams] == [[2]] * 500


def test_a_closed_broadcaster_ends_the_streams_that_are_open_and_those_that_come() -> None:
    each = broadcaster(1)
    waiting = gevent.spawn(list, each.follow(1, heartbeat_s=5))
    gevent.sleep(0.01)
    each.close()
    waiting.join(1)
    assert waiting.value == []
    assert receive(each.follow(None), 1) == [1]
    assert list(each.follow(1)) == []
