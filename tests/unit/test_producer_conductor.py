"""The conductor begins each burst at its time, or leaves it out; numbers have no gap either way."""

import logging

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.backlog import Backlog
from producer.burst import Burst, Shape
from producer.conductor import Conductor
from producer.schedule import Metronome, Timetable
from tests.counters import counted

DUE_NS = 1_790_000_000 * NS_PER_S


class Score:
    """In place of the lanes: notes the bursts."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.due_ns: list[int] = []

    def play(self, burst: Burst) -> None:
        for slot in burst.slots():
            self.numbers.append(slot.number)
            self.due_ns.append(slot.due_ns)

    def sweep(self) -> None:
        """Nothing waits here."""


class Hall:
    """A conductor with a fake clock, which runs until a given time."""

    def __init__(self, backlog: Backlog, rate: float = 1.0) -> None:
        self.now_ns = DUE_NS - NS_PER_MS
        self.until_ns = DUE_NS
        self.score = Score()
        metronome = Metronome(Timetable(rate), lambda: self.now_ns, tolerance_ns=100 * NS_PER_MS)
        shape = Shape(10, gap_ns=NS_PER_MS)
        self._conductor = Conductor(metronome, self.score, backlog, shape, lead_ns=30 * NS_PER_MS)

    def play(self, duration_s: float) -> None:
        self.until_ns = self.now_ns + round(duration_s * NS_PER_S)
        self._conductor.run(self)

    def is_set(self) -> bool:
        return self.now_ns >= self.until_ns

    def wait(self, timeout: float) -> bool:
        self.now_ns += round(timeout * NS_PER_S)
        return self.is_set()


def test_numbers_count_up_from_0_ten_a_burst() -> None:
    hall = Hall(Backlog(1000))
    hall.play(2.9)
    assert hall.score.numbers == list(range(30))
    assert hall.score.due_ns[::10] == [DUE_NS, DUE_NS + NS_PER_S, DUE_NS + 2 * NS_PER_S]
    assert hall.score.due_ns[:3] == [DUE_NS, DUE_NS + NS_PER_MS, DUE_NS + 2 * NS_PER_MS]


def test_a_full_backlog_skips_bursts_and_uses_up_no_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    skipped = counted("fizzbuzz_producer_skipped_bursts_total", reason="backlog_full")
    backlog = Backlog(limit=20)
    hall = Hall(backlog)
    hall.play(4.9)
    assert hall.score.numbers == list(range(20))
    assert counted("fizzbuzz_producer_skipped_bursts_total", reason="backlog_full") == skipped + 3
    for _ in range(10):
        backlog.settle(taken=False)
    hall.play(1.0)
    assert hall.score.numbers == list(range(30))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_bursts_missed_in_a_sleep_use_up_no_number(caplog: pytest.LogCaptureFixture) -> None:
    missed = counted("fizzbuzz_producer_skipped_bursts_total", reason="missed")
    hall = Hall(Backlog(1000))
    hall.play(0.5)
    hall.now_ns += 10 * NS_PER_S
    hall.play(1.0)
    assert hall.score.numbers == list(range(20))
    assert hall.score.due_ns[10] == DUE_NS + 11 * NS_PER_S
    assert counted("fizzbuzz_producer_skipped_bursts_total", reason="missed") == missed + 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]
