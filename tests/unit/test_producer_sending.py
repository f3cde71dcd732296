"""What lanes and backlog senders do with messages; only time is not real."""

import logging
import threading
from collections.abc import Iterator

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S, to_rfc3339
from pipeline.message import Message
from producer.backlog import Backlog
from producer.backoff import Backoff
from producer.burst import Burst, Shape
from producer.drain import Drain
from producer.lanes import Lanes, Timing
from producer.ledger import Ledger
from producer.post import Post
from tests.counters import counted
from tests.faulty_gateway import OK, Answer, FaultyGateway

DUE_NS = 1_790_000_000 * NS_PER_S
SPAN_NS = 100 * NS_PER_MS
AWAY = Answer(503, (("Retry-After", "3"),))


@pytest.fixture
def gateway() -> Iterator[FaultyGateway]:
    server = FaultyGateway()
    server.start()
    yield server
    server.stop()


class Producer:
    """The sending parts, put together as the product does, with a clock that the test sets."""

    def __init__(self, url: str, limit: int = 100) -> None:
        self.now_ns = DUE_NS
        self.backlog = Backlog(limit)
        self.ledger = Ledger(self.backlog)
        self.post = Post(url, "run")
        self.lanes = Lanes(
            "run",
            self.ledger,
            lambda: self.post,
            timing=Timing(30 * NS_PER_MS, SPAN_NS),
            clock=lambda: self.now_ns,
        )

    def burst(self, size: int = 1, deadline_ns: int = DUE_NS) -> Burst:
        assert self.backlog.reserve(size)
        return Burst(deadline_ns, 0, Shape(size, gap_ns=NS_PER_MS))

    def send(self, burst: Burst) -> None:
        for slot in burst.slots():
            self.now_ns = max(self.now_ns, slot.due_ns)
            self.lanes.send(slot, self.post)

    def deliver(self, message: Message) -> list[float]:
        """Let a backlog sender deliver it; the pauses it made."""
        pauses: list[float] = []
        drain = Drain(self.backlog, self.ledger, lambda: self.post)
        drain.deliver(message, self.post, Backoff(lambda _low, high: high), pauses.append)
        return pauses


@pytest.fixture
def producer(gateway: FaultyGateway) -> Producer:
    return Producer(gateway.url)


def test_an_acknowledged_message_is_settled(gateway: FaultyGateway, producer: Producer) -> None:
    producer.send(producer.burst())
    assert producer.backlog.unsettled == 0
    assert gateway.received[0].sent_at == to_rfc3339(DUE_NS)


def test_a_message_whose_try_failed_waits_with_its_first_sent_at(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.answer = AWAY
    producer.now_ns = DUE_NS + 3 * NS_PER_MS
    producer.send(producer.burst())
    assert producer.backlog.take(0) == Message("run", 0, DUE_NS + 3 * NS_PER_MS)


def test_a_message_that_found_no_connection_waits_with_its_due_time(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.stop()
    producer.now_ns = DUE_NS + 3 * NS_PER_MS
    producer.send(producer.burst())
    assert producer.backlog.take(0) == Message("run", 0, DUE_NS)


def test_what_no_lane_took_in_time_waits_with_its_due_time(producer: Producer) -> None:
    producer.lanes.play(producer.burst(size=2))
    producer.now_ns = DUE_NS + SPAN_NS
    producer.lanes.sweep()
    assert producer.backlog.take(0) is None
    producer.now_ns += 1
    producer.lanes.sweep()
    assert producer.backlog.take(0) == Message("run", 0, DUE_NS)
    assert producer.backlog.take(0) == Message("run", 1, DUE_NS + NS_PER_MS)


def test_a_lane_that_comes_too_late_sends_nothing(gateway: FaultyGateway, producer: Producer) -> None:
    burst = producer.burst()
    producer.now_ns = DUE_NS + SPAN_NS + 1
    producer.send(burst)
    assert not gateway.received
    assert producer.backlog.take(0) == Message("run", 0, DUE_NS)


def test_each_try_of_a_message_carries_its_first_sent_at(gateway: FaultyGateway, producer: Producer) -> None:
    gateway.script.extend([AWAY] * 3)
    assert producer.backlog.reserve(1)
    producer.deliver(Message("run", 8, DUE_NS + 5_000))
    assert [one.status for one in gateway.received] == [503, 503, 503, 202]
    assert {one.sent_at for one in gateway.received} == {to_rfc3339(DUE_NS + 5_000)}
    assert producer.backlog.unsettled == 0


def test_between_tries_a_sender_waits_as_long_as_it_was_asked(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.script.extend([AWAY, Answer(500), Answer(500)])
    assert producer.backlog.reserve(1)
    assert producer.deliver(Message("run", 8, DUE_NS)) == [3.0, 0.2, 0.4]


def test_a_rejected_message_is_logged_by_name_counted_and_dropped(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("fizzbuzz_producer_rejected_messages_total")
    gateway.answer = Answer(422, body=b"number: too high")
    producer.send(producer.burst())
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (vars(record)["run"], vars(record)["number"], vars(record)["status"]) == ("run", 0, "422")
    assert "number: too high" in record.getMessage()
    assert counted("fizzbuzz_producer_rejected_messages_total") == before + 1
    assert producer.backlog.unsettled == 0


def test_a_duplicate_counts_as_acknowledged_and_as_a_duplicate(
    gateway: FaultyGateway, producer: Producer
) -> None:
    before = (
        counted("fizzbuzz_producer_acknowledged_messages_total"),
        counted("fizzbuzz_producer_duplicate_messages_total"),
    )
    gateway.answer = Answer(duplicates=1)
    producer.send(producer.burst())
    after = (
        counted("fizzbuzz_producer_acknowledged_messages_total"),
        counted("fizzbuzz_producer_duplicate_messages_total"),
    )
    assert after == (before[0] + 1, before[1] + 1)


def test_a_trouble_and_its_end_are_logged_once(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gateway.script.extend([AWAY] * 20 + [OK] * 20)
    producer.send(producer.burst(size=40))
    assert [(record.levelname, vars(record).get("status")) for record in caplog.records] == [
        ("WARNING", "503"),
        ("INFO", None),
    ]


def test_it_is_healthy_while_the_gateway_takes_messages(gateway: FaultyGateway, producer: Producer) -> None:
    assert producer.ledger.healthy
    gateway.script.append(AWAY)
    producer.send(producer.burst())
    assert not producer.ledger.healthy
    producer.send(producer.burst())
    assert producer.ledger.healthy


def test_the_figures_of_a_burst_are_those_of_its_messages(producer: Producer) -> None:
    spans, offsets = (
        counted("fizzbuzz_producer_burst_span_seconds_sum"),
        counted("fizzbuzz_producer_start_offset_seconds_sum"),
    )
    producer.now_ns = DUE_NS + 2 * NS_PER_MS
    producer.send(producer.burst(size=10))
    assert counted("fizzbuzz_producer_start_offset_seconds_sum") - offsets == pytest.approx(0.002)
    assert counted("fizzbuzz_producer_burst_span_seconds_sum") - spans == pytest.approx(0.007)


def test_a_burst_that_could_not_leave_counts_as_late(producer: Producer) -> None:
    late, spans = (
        counted("fizzbuzz_producer_late_bursts_total"),
        counted("fizzbuzz_producer_burst_span_seconds_count"),
    )
    producer.lanes.play(producer.burst(size=10))
    producer.now_ns += 2 * SPAN_NS
    producer.lanes.sweep()
    assert counted("fizzbuzz_producer_late_bursts_total") == late + 1
    assert counted("fizzbuzz_producer_burst_span_seconds_count") == spans


def test_messages_whose_clock_was_set_back_by_an_hour_are_sent_at_once(
    gateway: FaultyGateway, producer: Producer
) -> None:
    producer.lanes.start(1)
    producer.now_ns = DUE_NS - 3_600 * NS_PER_S
    producer.lanes.play(producer.burst(size=10))
    assert producer.backlog.wait_settled(10)
    assert {one.sent_at for one in gateway.received} == {to_rfc3339(producer.now_ns)}
    assert len(gateway.received) == 10


def test_lanes_that_run_send_a_whole_burst(gateway: FaultyGateway, producer: Producer) -> None:
    producer.lanes.start(1)
    producer.now_ns = DUE_NS + 50 * NS_PER_MS
    producer.lanes.play(producer.burst(size=10))
    assert producer.backlog.wait_settled(10)
    assert sorted(one.number for one in gateway.received) == list(range(10))


def test_what_waits_is_sent_as_soon_as_a_sender_is_there(gateway: FaultyGateway, producer: Producer) -> None:
    assert producer.backlog.reserve(5)
    for number in range(5):
        producer.backlog.put(Message("run", number, DUE_NS))
    Drain(producer.backlog, producer.ledger, lambda: producer.post).start(1)
    assert producer.backlog.wait_settled(10)
    assert [one.number for one in gateway.received] == list(range(5))


def test_places_are_never_given_twice_by_threads() -> None:
    backlog = Backlog(limit=1000)
    given: list[bool] = []
    threads = [
        threading.Thread(target=lambda: given.extend(backlog.reserve(1) for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given.count(True) == 1000
