"""Fan-out: everyone gets the newest, nobody holds anybody up."""

from collections.abc import Iterator

import gevent

from web.hub import HELD, Hub, Published


def published(number: int) -> Published:
    return Published(number, b"%d" % number, b"")


def hub(*numbers: int) -> Hub:
    made = Hub()
    for number in numbers:
        made.publish(published(number))
    return made


def take(stream: Iterator[Published | None], count: int) -> list[int | None]:
    events = (next(stream) for _ in range(count))
    return [event.id if event else None for event in events]


def test_a_stream_begins_at_once_with_the_newest() -> None:
    assert take(hub(1, 2, 3).follow(None), 1) == [3]


def test_a_stream_gets_each_reading_as_it_is_published() -> None:
    each = hub(1)
    stream = each.follow(None)
    got = take(stream, 1)
    for number in (2, 3):
        each.publish(published(number))
        got += take(stream, 1)
    assert got == [1, 2, 3]


def test_a_slow_stream_gets_the_newest_and_no_queue() -> None:
    each = hub(1)
    stream = each.follow(None)
    take(stream, 1)
    for number in range(2, 1_000):
        each.publish(published(number))
    assert take(stream, 1) == [999]
    each.publish(published(1_000))
    assert take(stream, 1) == [1_000]


def test_a_client_that_comes_back_gets_what_it_missed_and_then_the_newest() -> None:
    each = hub(1, 2, 3, 4)
    stream = each.follow(2)
    assert take(stream, 2) == [3, 4]
    each.publish(published(5))
    assert take(stream, 1) == [5]


def test_what_is_no_longer_held_is_not_sent_again() -> None:
    each = hub(*range(1, 201))
    assert take(each.follow(1), HELD) == list(range(200 - HELD + 1, 201))


def test_a_client_that_missed_nothing_waits_for_the_next() -> None:
    each = hub(1, 2)
    gevent.spawn_later(0.01, each.publish, published(3))
    assert take(each.follow(2, heartbeat_s=5), 1) == [3]


def test_an_id_from_the_future_gets_the_newest_at_once() -> None:
    each = hub(1, 2)
    stream = each.follow(10**15)
    assert take(stream, 1) == [2]
    each.publish(published(3))
    assert take(stream, 1) == [3]


def test_a_stream_without_news_says_that_it_is_still_there() -> None:
    each = hub(1)
    stream = each.follow(None, heartbeat_s=0.001)
    assert take(stream, 3) == [1, None, None]
    each.publish(published(2))
    assert take(stream, 1) == [2]


def test_all_streams_wake_at_one_reading() -> None:
    each = hub(1)
    streams = [gevent.spawn(lambda: take(each.follow(1, heartbeat_s=5), 1)) for _ in range(500)]
    gevent.sleep(0.01)
    each.publish(published(2))
    gevent.joinall(streams, timeout=5)
    assert [stream.value for stream in streams] == [[2]] * 500


def test_a_closed_hub_ends_the_streams_that_are_open_and_those_that_come() -> None:
    each = hub(1)
    waiting = gevent.spawn(list, each.follow(1, heartbeat_s=5))
    gevent.sleep(0.01)
    each.close()
    waiting.join(1)
    assert waiting.value == []
    assert take(each.follow(None), 1) == [1]
    assert list(each.follow(1)) == []
