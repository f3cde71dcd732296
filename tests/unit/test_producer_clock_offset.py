"""How far two offset are apart, from requests alone."""

import random

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.clock_offset import MEMORY_NS, ClockOffsetEstimator
from tests.support.batches import NOON_NS


def record(
    offset: ClockOffsetEstimator, at_ns: int, *, there_ms: float, back_ms: float, ahead_ms: float = 0
) -> None:
    """A round trip, to a consumer whose clock is ahead of ours."""
    arrived_ns = at_ns + round(there_ms * NS_PER_MS)
    offset.add_sample(
        at_ns, arrived_ns + round(ahead_ms * NS_PER_MS), arrived_ns + round(back_ms * NS_PER_MS)
    )


def test_nothing_is_known_before_the_first_answer() -> None:
    assert ClockOffsetEstimator("run-1").estimate is None


def test_the_true_difference_lies_within_the_error_however_uneven_the_way() -> None:
    chance = random.Random(1)
    for _ in range(500):
        offset = ClockOffsetEstimator("run-1")
        ahead_ms = chance.uniform(-5_000, 5_000)
        for step in range(5):
            there_ms, back_ms = chance.uniform(0.1, 30), chance.uniform(0.1, 30)
            record(offset, NOON_NS + step, there_ms=there_ms, back_ms=back_ms, ahead_ms=ahead_ms)
        known = offset.estimate
        assert known
        assert abs(known.offset_ns - ahead_ms * NS_PER_MS) <= known.error_ns


def test_the_quickest_round_trip_gives_the_closest_bounds() -> None:
    offset = ClockOffsetEstimator("run-1")
    for there_ms in (9.0, 1.0, 20.0):
        record(offset, NOON_NS, there_ms=there_ms, back_ms=1.0, ahead_ms=100)
    known = offset.estimate
    assert known
    assert (known.run, known.offset_ns, known.error_ns) == ("run-1", 100 * NS_PER_MS, NS_PER_MS + 1_000)


def test_an_answer_counts_for_a_minute() -> None:
    offset = ClockOffsetEstimator("run-1")
    record(offset, NOON_NS, there_ms=1, back_ms=1)
    record(offset, NOON_NS + MEMORY_NS + NS_PER_S, there_ms=5, back_ms=5, ahead_ms=7)
    known = offset.estimate
    assert known
    assert known.offset_ns == 7 * NS_PER_MS


def test_what_was_known_before_this_clock_was_set_back_is_forgotten() -> None:
    offset = ClockOffsetEstimator("run-1")
    hour_ms = 3_600_000
    record(offset, NOON_NS, there_ms=1, back_ms=1)
    record(offset, NOON_NS - hour_ms * NS_PER_MS, there_ms=5, back_ms=5, ahead_ms=hour_ms)
    known = offset.estimate
    assert known
    assert known.offset_ns == hour_ms * NS_PER_MS


def test_a_clock_that_was_set_back_meanwhile_gives_no_sample() -> None:
    offset = ClockOffsetEstimator("run-1")
    offset.add_sample(NOON_NS, NOON_NS, NOON_NS - 10)
    assert offset.estimate is None
