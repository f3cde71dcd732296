"""Bursts are due at multiples of their period, whatever the clock and the machine do."""

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.schedule import Schedule, Ticker

START_NS = 1_790_000_000 * NS_PER_S + 123_456_789
TOLERANCE_NS = 100 * NS_PER_MS


class FakeClock:
    def __init__(self, now_ns: int = START_NS) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def walk(ticker: Ticker, clock: FakeClock, count: int, *, late_ns: int = 0) -> list[int]:
    """The next ``count`` deadlines, where each wait ends ``late_ns`` too late."""
    deadlines = []
    for _ in range(count):
        clock.now_ns += max(0, ticker.wait_ns()) + late_ns
        assert ticker.wait_ns() <= 0
        deadlines.append(ticker.advance())
    return deadlines


def ticker_at(rate: float, clock: FakeClock) -> Ticker:
    return Ticker(Schedule(rate), clock, tolerance_ns=TOLERANCE_NS)


def test_at_rate_1_every_burst_is_due_on_a_whole_second() -> None:
    clock = FakeClock()
    deadlines = walk(ticker_at(1, clock), clock, 1000)
    assert deadlines == [(1_790_000_001 + index) * NS_PER_S for index in range(1000)]


@pytest.mark.parametrize("late_ms", [1, 7, 99])
def test_waking_late_does_not_add_up(late_ms: int) -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    deadlines = walk(ticker, clock, 10_000, late_ns=late_ms * NS_PER_MS)
    assert deadlines[-1] == (1_790_000_001 + 9_999) * NS_PER_S
    assert ticker.missed == 0


def test_at_rate_2_bursts_are_half_a_second_apart() -> None:
    clock = FakeClock()
    deadlines = walk(ticker_at(2, clock), clock, 4)
    assert [deadline - 1_790_000_000 * NS_PER_S for deadline in deadlines] == [
        500_000_000,
        1_000_000_000,
        1_500_000_000,
        2_000_000_000,
    ]


def test_at_rate_a_half_bursts_are_due_on_even_seconds() -> None:
    clock = FakeClock()
    assert walk(ticker_at(0.5, clock), clock, 2) == [1_790_000_002 * NS_PER_S, 1_790_000_004 * NS_PER_S]


@pytest.mark.parametrize("rate", [0.1, 0.3, 3, 7, 99.9, 100])
def test_a_deadline_is_never_its_own_successor(rate: float) -> None:
    schedule = Schedule(rate)
    index = schedule.after(START_NS)
    for at in range(index, index + 500):
        assert schedule.after(schedule.deadline_ns(at)) == at + 1
        assert schedule.after(schedule.deadline_ns(at) - 1) == at


def test_three_bursts_a_second_meet_the_whole_second_after_years() -> None:
    schedule = Schedule(3)
    assert schedule.deadline_ns(3 * 1_790_000_000) == 1_790_000_000 * NS_PER_S


def test_a_rate_of_a_tenth_means_every_tenth_second_exactly() -> None:
    schedule = Schedule(0.1)
    assert schedule.deadline_ns(179_000_000) == 1_790_000_000 * NS_PER_S


def test_bursts_missed_in_a_sleep_are_counted_and_left_out() -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    walk(ticker, clock, 1)
    clock.now_ns = 1_790_003_600 * NS_PER_S + 500 * NS_PER_MS
    assert walk(ticker, clock, 2) == [1_790_003_601 * NS_PER_S, 1_790_003_602 * NS_PER_S]
    assert ticker.missed == 3_599


def test_after_a_sleep_only_the_newest_burst_may_still_begin() -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    clock.now_ns = 1_790_000_060 * NS_PER_S + 50 * NS_PER_MS
    assert ticker.wait_ns() == -50 * NS_PER_MS
    assert ticker.advance() == 1_790_000_060 * NS_PER_S
    assert ticker.missed == 59
    assert ticker.wait_ns() == 950 * NS_PER_MS


def test_a_burst_later_than_its_tolerance_is_missed() -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    clock.now_ns = 1_790_000_001 * NS_PER_S + TOLERANCE_NS
    assert ticker.wait_ns() == -TOLERANCE_NS
    clock.now_ns += 1
    assert ticker.wait_ns() == NS_PER_S - TOLERANCE_NS - 1
    assert ticker.missed == 1


def test_a_clock_set_back_by_an_hour_does_not_stop_the_bursts_for_an_hour() -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    walk(ticker, clock, 10)
    clock.now_ns -= 3_600 * NS_PER_S
    assert ticker.wait_ns() <= NS_PER_S
    assert ticker.missed == 0


def test_a_clock_set_back_a_little_brings_no_burst_twice() -> None:
    clock = FakeClock()
    ticker = ticker_at(1, clock)
    (deadline,) = walk(ticker, clock, 1)
    clock.now_ns = deadline - 2 * NS_PER_MS
    assert walk(ticker, clock, 1) == [deadline + NS_PER_S]
