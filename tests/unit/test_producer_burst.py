"""What of a burst counts: when it began, how long it took, whether it was late."""

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer.burst import LATE_NS, Burst, BurstConfig
from tests.support.counters import counted

DUE_NS = 1_790_000_000 * NS_PER_S
LATE = "fizzbuzz_producer_late_bursts_total"
BURSTS = "fizzbuzz_producer_bursts_total"


def burst() -> Burst:
    return Burst(DUE_NS, 30, BurstConfig(3, spacing_ns=NS_PER_MS))


def test_its_messages_are_numbered_and_due_one_after_the_other() -> None:
    messages = list(burst().messages())
    assert [message.number for message in messages] == [30, 31, 32]
    assert [message.due_ns - DUE_NS for message in messages] == [0, NS_PER_MS, 2 * NS_PER_MS]


@pytest.mark.parametrize(
    ("sent_ns", "late"),
    [
        ([DUE_NS, DUE_NS + 1, DUE_NS + 2], 0),
        ([DUE_NS + LATE_NS, DUE_NS + LATE_NS + 1, DUE_NS + LATE_NS + 2], 0),
        ([DUE_NS + LATE_NS + 1, DUE_NS + LATE_NS + 2, DUE_NS + LATE_NS + 3], 1),
        ([DUE_NS, DUE_NS + 1, None], 1),
        ([None, None, None], 1),
    ],
    ids=["on time", "just on time", "began late", "one could not be sent", "none could"],
)
def test_a_burst_is_late_if_it_began_late_or_is_not_complete(sent_ns: list[int | None], late: int) -> None:
    bursts_before, late_before = counted(BURSTS), counted(LATE)
    made = burst()
    for moment in sent_ns[:-1]:
        made.record(moment)
    assert counted(BURSTS) == bursts_before  # it is not over
    made.record(sent_ns[-1])
    assert counted(BURSTS) == bursts_before + 1
    assert counted(LATE) == late_before + late


def test_its_span_is_from_the_first_to_the_last_message_in_whatever_order_they_are_reported() -> None:
    spans, offsets = "fizzbuzz_producer_burst_span_seconds_sum", "fizzbuzz_producer_start_offset_seconds_sum"
    spans_before, offsets_before = counted(spans), counted(offsets)
    made = burst()
    for moment in (DUE_NS + 9 * NS_PER_MS, DUE_NS + 2 * NS_PER_MS, DUE_NS + 5 * NS_PER_MS):
        made.record(moment)
    assert counted(spans) - spans_before == pytest.approx(0.007)
    assert counted(offsets) - offsets_before == pytest.approx(0.002)
