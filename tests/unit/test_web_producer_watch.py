"""The producer's silences in the event log."""

import pytest

from pipeline.clock import NS_PER_S
from pipeline.queue.ledger import RunLedger
from tests.support.batches import NOON_NS
from web.conditions import Condition
from web.event_log import EventLog
from web.producer_watch import ProducerWatch

RUN = "2026-01-01T12:00:00.000Z-ab12"


def at(second: float) -> int:
    return NOON_NS + round(second * NS_PER_S)


def run(last: float, *, name: str = RUN, accepted: int = 1_000) -> RunLedger:
    return RunLedger(name, accepted, 0, 0, accepted - 1, at(0), at(last), 0)


def texts(log: EventLog) -> list[str]:
    return [event.text for event in log.events]


def test_a_silence_has_a_begin_and_an_end() -> None:
    log = EventLog()
    watch = ProducerWatch(log)
    for second, last in ((20, 20), (28, 20), (28.5, 20), (29, 20)):
        watch.update(at(second), [run(last)], [])
    assert [(event.at_ns, event.text) for event in log.events] == [
        (at(28.5), "producer has sent nothing since {2026-01-01T12:00:20.000Z}")
    ]
    assert watch.is_silent
    watch.update(at(30), [run(29.5)], [])
    assert texts(log)[1:] == ["producer sends again, after 10 s"]
    assert not watch.is_silent


def test_arrivals_in_the_future_hide_no_silence() -> None:
    """The consumer's clock was an hour ahead for a while."""
    log = EventLog()
    watch = ProducerWatch(log)
    ahead = run(3_600, name="2026-01-01T12:00:00.000Z-ab13", accepted=5_000)
    for second in range(20, 30):
        watch.update(at(second), [ahead, run(second)], [])
    for second in range(30, 40):
        watch.update(at(second), [ahead, run(29)], [])
    assert texts(log) == ["producer has sent nothing since {2026-01-01T12:00:29.000Z}"]


@pytest.mark.parametrize(
    "code", ["queue_unreachable", "queue_unfit", "queue_full", "queue_memory", "consumer_unreachable"]
)
def test_a_producer_whose_messages_are_not_accepted_is_not_silent(code: str) -> None:
    log = EventLog()
    watch = ProducerWatch(log)
    wrong = [Condition(code, "", at(20))]
    for second in range(20, 40):
        watch.update(at(second), [run(20)], wrong)
    for second in range(40, 50):  # it repeats what it kept
        watch.update(at(second), [run(20)], [])
    assert texts(log) == []
    watch.update(at(51), [run(20)], [])
    assert len(texts(log)) == 1


@pytest.mark.parametrize(
    "known",
    [run(20, name="mine"), run(20, accepted=10), run(-100)],
    ids=["other sender", "slow", "long gone"],
)
def test_others_and_slow_ones_and_those_long_gone_are_not_named(known: RunLedger) -> None:
    log = EventLog()
    ProducerWatch(log).update(at(30), [known], [])
    assert texts(log) == []


def test_only_the_newest_run_counts() -> None:
    log = EventLog()
    ProducerWatch(log).update(at(30), [run(20), run(29.5, name="2026-01-01T12:00:21.000Z-cd34")], [])
    assert texts(log) == []


def test_bursts_that_are_far_apart_are_no_silence_and_a_longer_pause_is() -> None:
    """Ten messages every ten seconds."""
    log = EventLog()
    watch = ProducerWatch(log)
    for quarter in range(8 * 4, 101 * 4):
        burst = quarter // 40
        watch.update(at(quarter / 4), [run(burst * 10, accepted=10 * (burst + 1))], [])
    assert texts(log)[2:] == []  # the first pause, of which nothing was known, is an event
    for quarter in range(101 * 4, 125 * 4):
        watch.update(at(quarter / 4), [run(100, accepted=110)], [])
    assert texts(log)[-1] == "producer has sent nothing since {2026-01-01T12:01:40.000Z}"
