"""When a message leaves, whatever is done to the clock meanwhile."""

from dataclasses import dataclass, field

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.attempt import FirstAttempt

DUE_NS = 1_790_000_000 * NS_PER_S
SPAN_NS = 100 * NS_PER_MS
EARLIEST_NS = 130 * NS_PER_MS


@dataclass
class World:
    """A wall clock that may be set, and sleeps that take their time."""

    now_ns: int
    step_ns: int = 0
    """By how much the clock is set during the first sleep."""
    slept_s: list[float] = field(default_factory=list)

    def first(self) -> FirstAttempt:
        return FirstAttempt(
            DUE_NS, DUE_NS + SPAN_NS, lambda: self.now_ns, max_early_ns=EARLIEST_NS, sleep=self._sleep
        )

    def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * NS_PER_S) + self.step_ns
        self.step_ns = 0


def test_it_leaves_when_it_is_due_and_not_before() -> None:
    world = World(DUE_NS - 30 * NS_PER_MS)
    first = world.first()
    first.wait()
    assert world.now_ns == DUE_NS
    assert sum(world.slept_s) == pytest.approx(0.03)
    assert first.stamp_sent_at() == first.sent_ns == DUE_NS


def test_the_clock_is_read_every_tenth_of_a_second() -> None:
    world = World(DUE_NS - EARLIEST_NS)
    world.first().wait()
    assert max(world.slept_s) <= 0.1
    assert world.now_ns == DUE_NS


@pytest.mark.parametrize("step_s", [1, 3_600, 86_400 * 365])
def test_it_leaves_at_once_when_the_clock_is_set_back(step_s: int) -> None:
    world = World(DUE_NS - 20 * NS_PER_MS, step_ns=-step_s * NS_PER_S)
    first = world.first()
    first.wait()
    assert sum(world.slept_s) <= 0.1
    assert first.stamp_sent_at() == first.sent_ns == world.now_ns < DUE_NS


def test_a_clock_that_is_set_back_by_less_than_that_is_waited_for() -> None:
    world = World(DUE_NS - 20 * NS_PER_MS, step_ns=-90 * NS_PER_MS)
    world.first().wait()
    assert world.now_ns == DUE_NS


def test_a_clock_that_is_set_forward_lets_it_leave_at_once_with_its_due_time() -> None:
    world = World(DUE_NS - 20 * NS_PER_MS, step_ns=3_600 * NS_PER_S)
    first = world.first()
    first.wait()
    assert sum(world.slept_s) <= 0.1
    assert first.stamp_sent_at() == DUE_NS
