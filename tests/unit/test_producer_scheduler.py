"""The scheduler begins each burst at its time, or skips it; numbers have no gap either way."""

import logging

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.burst import Burst, BurstConfig
from producer.delivery_tracker import DeliveryTracker
from producer.schedule import Schedule, Ticker
from producer.scheduler import Scheduler
from tests.support.counters import counted

DUE_NS = 1_790_000_000 * NS_PER_S


class RecordingSender:
    """Stands in for the sender pool: records the bursts."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.due_ns: list[int] = []

    def submit(self, burst: Burst) -> None:
        for scheduled in burst.messages():
            self.numbers.append(scheduled.number)
            self.due_ns.append(scheduled.due_ns)

    def expire_overdue(self) -> None:
        """Nothing waits here."""


class Harness:
    """A scheduler with a fake clock, which runs until a given time."""

    def __init__(self, tracker: DeliveryTracker, rate: float = 1.0) -> None:
        self.now_ns = DUE_NS - NS_PER_MS
        self.until_ns = DUE_NS
        self.sender = RecordingSender()
        ticker = Ticker(Schedule(rate), lambda: self.now_ns, tolerance_ns=100 * NS_PER_MS)
        config = BurstConfig(10, spacing_ns=NS_PER_MS)
        self._scheduler = Scheduler(ticker, self.sender, tracker, config, lead_ns=30 * NS_PER_MS)

    def run(self, duration_s: float) -> None:
        self.until_ns = self.now_ns + round(duration_s * NS_PER_S)
        self._scheduler.run(self)

    def is_set(self) -> bool:
        return self.now_ns >= self.until_ns

    def wait(self, timeout: float) -> bool:
        self.now_ns += round(timeout * NS_PER_S)
        return self.is_set()


def test_numbers_count_up_from_0_ten_a_burst() -> None:
    harness = Harness(DeliveryTracker(1000))
    harness.run(2.9)
    assert harness.sender.numbers == list(range(30))
    assert harness.sender.due_ns[::10] == [DUE_NS, DUE_NS + NS_PER_S, DUE_NS + 2 * NS_PER_S]
    assert harness.sender.due_ns[:3] == [DUE_NS, DUE_NS + NS_PER_MS, DUE_NS + 2 * NS_PER_MS]


def test_a_full_backlog_skips_bursts_and_uses_up_no_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    skipped = counted("fizzbuzz_producer_skipped_bursts_total", reason="backlog_full")
    tracker = DeliveryTracker(capacity=20)
    harness = Harness(tracker)
    harness.run(4.9)
    assert harness.sender.numbers == list(range(20))
    assert counted("fizzbuzz_producer_skipped_bursts_total", reason="backlog_full") == skipped + 3
    for _ in range(10):
        tracker.release()
    harness.run(1.0)
    assert harness.sender.numbers == list(range(30))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_bursts_missed_in_a_sleep_use_up_no_number(caplog: pytest.LogCaptureFixture) -> None:
    missed = counted("fizzbuzz_producer_skipped_bursts_total", reason="missed")
    harness = Harness(DeliveryTracker(1000))
    harness.run(0.5)
    harness.now_ns += 10 * NS_PER_S
    harness.run(1.0)
    assert harness.sender.numbers == list(range(20))
    assert harness.sender.due_ns[10] == DUE_NS + 11 * NS_PER_S
    assert counted("fizzbuzz_producer_skipped_bursts_total", reason="missed") == missed + 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]
