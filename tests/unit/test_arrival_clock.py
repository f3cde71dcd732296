import itertools
from contextvars import Context, copy_context
from typing import Any

from consumer.arrival_clock import ArrivalClock, Stamp, consumer_tag
from pipeline.clock import NS_PER_S

ANY_CALL: Any = None  # its details make no difference


class Calls:
    """Calls that reach a server, each in a context of its own as gRPC has it, at the times given."""

    def __init__(self, *reached_ns: int) -> None:
        readings, tags = iter(reached_ns), map("tag-{}".format, itertools.count())
        self._arrivals = ArrivalClock(lambda: next(readings), lambda: next(tags))
        self._contexts = [copy_context() for _ in reached_ns]
        for context in self._contexts:
            context.run(self._arrivals.intercept_service, lambda details: details, ANY_CALL)

    def stamp(self, call: int, count: int = 1) -> Stamp:
        return self._contexts[call].run(self._arrivals.stamp, count)

    def times_ns(self, call: int, count: int) -> list[int]:
        return list(self.stamp(call, count).times_ns)


def test_the_arrival_is_when_the_call_reached_the_server_not_when_a_thread_ran_it() -> None:
    calls = Calls(100, 200)
    assert calls.times_ns(0, 1) == [100]
    assert calls.times_ns(1, 3) == [200, 201, 202]


def test_no_moment_is_given_twice_even_when_the_clock_is_set_back() -> None:
    calls = Calls(100, 100, 50, 300)
    assert [calls.times_ns(0, 3), calls.times_ns(1, 1), calls.times_ns(2, 2), calls.times_ns(3, 1)] == [
        [100, 101, 102],
        [103],
        [104, 105],
        [300],
    ]


def test_calls_that_threads_ran_in_another_order_still_get_rising_moments() -> None:
    calls = Calls(100, 200)
    assert calls.times_ns(1, 1) == [200]
    assert calls.times_ns(0, 2) == [201, 202]


def test_calls_with_slow_bodies_keep_the_tag_while_the_clock_rises() -> None:
    late_ns = NS_PER_S * 11 // 10
    calls = Calls(*(second * late_ns for second in range(21)))
    stamps = [calls.stamp(call + step) for call in range(0, 20, 2) for step in (1, 0)]
    assert {stamp.consumer for stamp in stamps} == {"tag-0"}
    times_ns = [stamp.times_ns[0] for stamp in stamps]
    assert times_ns == [call * late_ns + late for call in range(1, 21, 2) for late in (0, 1)]
    assert calls.stamp(20).times_ns[0] == 20 * late_ns


def test_a_clock_set_back_gets_one_new_tag_whatever_calls_are_late_then() -> None:
    calls = Calls(*(second * NS_PER_S for second in (1_000, 1_001, 1_002, 1_003, 500, 501, 502)))
    stamps = [calls.stamp(call) for call in (3, 0, 4, 1, 5, 2, 6)]
    assert [(stamp.consumer, stamp.times_ns[0]) for stamp in stamps] == [
        ("tag-0", 1_003 * NS_PER_S),
        ("tag-0", 1_003 * NS_PER_S + 1),
        ("tag-1", 500 * NS_PER_S),
        ("tag-1", 500 * NS_PER_S + 1),
        ("tag-1", 501 * NS_PER_S),
        ("tag-1", 501 * NS_PER_S + 1),
        ("tag-1", 502 * NS_PER_S),
    ]


def test_a_glimpse_of_a_future_clock_does_not_pin_later_arrivals_there() -> None:
    month = 30 * 24 * 3_600 * NS_PER_S
    calls = Calls(100, month, 200, 300, month + 1)
    stamps = [calls.stamp(call) for call in range(5)]
    assert [(stamp.consumer, stamp.times_ns[0]) for stamp in stamps] == [
        ("tag-0", 100),
        ("tag-0", month),
        ("tag-1", 200),
        ("tag-1", 300),
        ("tag-1", month + 1),
    ]


def test_a_clock_set_back_by_less_than_a_second_keeps_the_tag() -> None:
    calls = Calls(2 * NS_PER_S, NS_PER_S, NS_PER_S - 1)
    stamps = [calls.stamp(call) for call in range(3)]
    assert [(stamp.consumer, stamp.times_ns[0]) for stamp in stamps] == [
        ("tag-0", 2 * NS_PER_S),
        ("tag-0", 2 * NS_PER_S + 1),
        ("tag-1", NS_PER_S - 1),
    ]


def test_times_of_one_tag_are_unique_and_rising_whatever_the_clock_does() -> None:
    jumps = [0, 5, -3, 2, -2, 40, -40, 1, -1, 7]
    clock = [(100 + sum(jumps[: index + 1])) * NS_PER_S for index in range(len(jumps))]
    calls = Calls(*clock)
    times: dict[str, list[int]] = {}
    for call in range(len(clock)):
        stamp = calls.stamp(call, 3)
        assert abs(stamp.times_ns[0] - clock[call]) <= NS_PER_S + 3
        times.setdefault(stamp.consumer, []).extend(stamp.times_ns)
    for taken in times.values():
        assert taken == sorted(set(taken))


def test_without_a_record_of_the_interceptor_the_arrival_is_when_the_handler_begins() -> None:
    arrivals = ArrivalClock(lambda: 100)
    assert list(Context().run(arrivals.stamp, 2).times_ns) == [100, 101]


def test_no_two_consumers_have_one_tag() -> None:
    assert consumer_tag() != consumer_tag()
