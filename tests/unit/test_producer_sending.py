"""What senders and retry senders do with messages; only time is not real."""

import logging
import threading
from collections.abc import Iterator

import pytest

from gateway import problems
from gateway.message_json import parse
from gateway.problems import Problem
from pipeline.clock import NS_PER_MS, NS_PER_S, to_rfc3339
from pipeline.message import Message
from producer.burst import Burst, BurstConfig, BurstTiming
from producer.delivery_tracker import DeliveryTracker
from producer.gateway_client import GatewayClient
from producer.retry_sender import SLOW_S, Backoff, RetrySender
from producer.sender_pool import SenderPool
from tests.support.counters import counted
from tests.support.faulty_gateway import OK, Answer, FaultyGateway

DUE_NS = 1_790_000_000 * NS_PER_S
SPAN_NS = 100 * NS_PER_MS
UNAVAILABLE = Answer(503, (("Retry-After", "3"),))


@pytest.fixture
def gateway() -> Iterator[FaultyGateway]:
    server = FaultyGateway()
    server.start()
    yield server
    server.stop()


class Producer:
    """The sending side, put together as the product does, with a clock that the test sets."""

    def __init__(self, url: str, capacity: int = 100) -> None:
        self.now_ns = DUE_NS
        self.tracker = DeliveryTracker(capacity)
        self.client = GatewayClient(url, "run", clock=lambda: self.now_ns)
        self.senders = SenderPool(
            "run",
            self.tracker,
            lambda: self.client,
            timing=BurstTiming(30 * NS_PER_MS, SPAN_NS),
            clock=lambda: self.now_ns,
        )

    def burst(self, size: int = 1, deadline_ns: int = DUE_NS) -> Burst:
        assert self.tracker.reserve(size)
        return Burst(deadline_ns, 0, BurstConfig(size, spacing_ns=NS_PER_MS))

    def send(self, burst: Burst) -> None:
        for scheduled in burst.messages():
            self.now_ns = max(self.now_ns, scheduled.due_ns)
            self.senders.send(scheduled, self.client)

    def deliver(self, message: Message) -> list[float]:
        """Let a retry sender deliver it; the delays it made."""
        pauses: list[float] = []
        sender = RetrySender(self.tracker, lambda: self.client)
        sender.deliver(message, self.client, Backoff(lambda _low, high: high), pauses.append)
        return pauses


@pytest.fixture
def producer(gateway: FaultyGateway) -> Iterator[Producer]:
    producer = Producer(gateway.url)
    yield producer
    producer.client.close()


def test_an_acknowledged_message_is_no_longer_pending(gateway: FaultyGateway, producer: Producer) -> None:
    producer.send(producer.burst())
    assert producer.tracker.pending == 0
    assert gateway.received[0].sent_at == to_rfc3339(DUE_NS)


def test_a_first_try_that_is_answered_as_a_repeat_shows_another_sender(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("fizzbuzz_producer_foreign_messages_total")
    gateway.answer = Answer(duplicates=1)
    producer.send(producer.burst(3))
    assert counted("fizzbuzz_producer_foreign_messages_total") == before + 3
    assert caplog.text.count("another sender has sent messages of this run") == 1
    assert producer.tracker.pending == 0


def test_a_repeat_that_is_answered_as_one_is_nothing_strange(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("fizzbuzz_producer_foreign_messages_total")
    gateway.script.append(UNAVAILABLE)
    gateway.answer = Answer(duplicates=1)
    producer.send(producer.burst())
    message = producer.tracker.next_deferred(0)
    assert message
    producer.deliver(message)
    assert counted("fizzbuzz_producer_foreign_messages_total") == before
    assert "another sender" not in caplog.text


def test_a_message_whose_try_failed_waits_with_its_first_sent_at(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.answer = UNAVAILABLE
    producer.now_ns = DUE_NS + 3 * NS_PER_MS
    producer.send(producer.burst())
    assert producer.tracker.next_deferred(0) == Message("run", 0, DUE_NS + 3 * NS_PER_MS)


def test_a_message_that_found_no_connection_waits_with_its_due_time(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.stop()
    producer.now_ns = DUE_NS + 3 * NS_PER_MS
    producer.send(producer.burst())
    assert producer.tracker.next_deferred(0) == Message("run", 0, DUE_NS)


def test_what_no_sender_took_in_time_waits_with_its_due_time(producer: Producer) -> None:
    producer.senders.submit(producer.burst(size=2))
    producer.now_ns = DUE_NS + SPAN_NS
    producer.senders.expire_overdue()
    assert producer.tracker.next_deferred(0) is None
    producer.now_ns += 1
    producer.senders.expire_overdue()
    assert producer.tracker.next_deferred(0) == Message("run", 0, DUE_NS)
    assert producer.tracker.next_deferred(0) == Message("run", 1, DUE_NS + NS_PER_MS)


def test_a_sender_that_comes_too_late_sends_nothing(gateway: FaultyGateway, producer: Producer) -> None:
    burst = producer.burst()
    producer.now_ns = DUE_NS + SPAN_NS + 1
    producer.send(burst)
    assert not gateway.received
    assert producer.tracker.next_deferred(0) == Message("run", 0, DUE_NS)


def test_each_try_of_a_message_carries_its_first_sent_at(gateway: FaultyGateway, producer: Producer) -> None:
    gateway.script.extend([UNAVAILABLE] * 3)
    assert producer.tracker.reserve(1)
    producer.deliver(Message("run", 8, DUE_NS + 5_000))
    assert [one.status for one in gateway.received] == [503, 503, 503, 202]
    assert {one.sent_at for one in gateway.received} == {to_rfc3339(DUE_NS + 5_000)}
    assert producer.tracker.pending == 0


def test_between_tries_a_sender_waits_as_long_as_it_was_asked(
    gateway: FaultyGateway, producer: Producer
) -> None:
    gateway.script.extend([UNAVAILABLE, Answer(500), Answer(500)])
    assert producer.tracker.reserve(1)
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
    assert producer.tracker.pending == 0
    assert not producer.tracker.healthy
    assert producer.tracker.reason == "the gateway rejected the last message for good: 422"
    gateway.answer = Answer()
    producer.send(producer.burst())
    assert (producer.tracker.healthy, producer.tracker.reason) == (True, "")


def test_a_message_whose_run_is_anothers_is_kept_and_sent_again(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.script.extend([Answer(409, body=b"the run belongs to another sender")] * 2)
    producer.send(producer.burst())
    message = producer.tracker.next_deferred(0)
    assert message == Message("run", 0, DUE_NS)
    assert not producer.tracker.healthy
    assert "FIZZBUZZ_API_TOKEN" in producer.tracker.reason
    assert "the run belongs to another sender" in caplog.text
    assert "dropped" not in caplog.text
    assert producer.deliver(message) == [SLOW_S]
    assert [one.status for one in gateway.received] == [409, 409, 202]
    assert (producer.tracker.healthy, producer.tracker.reason, producer.tracker.pending) == (True, "", 0)


def test_a_message_is_kept_until_the_gateways_clock_no_longer_is_days_behind(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    body = f'{{"number": 0, "sent_at": "{to_rfc3339(DUE_NS)}"}}'
    with pytest.raises(Problem) as refused:
        parse(body.encode(), DUE_NS - 3 * 86_400 * NS_PER_S)
    gateway.script.extend([Answer(422, body=problems.encode(refused.value))] * 2)
    producer.send(producer.burst())
    message = producer.tracker.next_deferred(0)
    assert message == Message("run", 0, DUE_NS)
    assert "check the clocks" in producer.tracker.reason
    assert "dropped" not in caplog.text
    assert producer.deliver(message) == [SLOW_S]
    assert [one.status for one in gateway.received] == [422, 422, 202]
    assert (producer.tracker.healthy, producer.tracker.reason, producer.tracker.pending) == (True, "", 0)


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


def test_a_failure_and_its_end_are_logged_once(
    gateway: FaultyGateway, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gateway.script.extend([UNAVAILABLE] * 20 + [OK] * 20)
    producer.send(producer.burst(size=40))
    assert [(record.levelname, vars(record).get("status")) for record in caplog.records] == [
        ("WARNING", "503"),
        ("INFO", None),
    ]


def test_it_is_healthy_while_the_gateway_accepts_messages(gateway: FaultyGateway, producer: Producer) -> None:
    assert producer.tracker.healthy
    gateway.script.append(UNAVAILABLE)
    producer.send(producer.burst())
    assert not producer.tracker.healthy
    assert producer.tracker.reason == "delivery failing, retrying: 503"
    producer.send(producer.burst())
    assert producer.tracker.healthy
    assert not producer.tracker.reason


def test_the_metrics_of_a_burst_are_those_of_its_messages(producer: Producer) -> None:
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
    producer.senders.submit(producer.burst(size=10))
    producer.now_ns += 2 * SPAN_NS
    producer.senders.expire_overdue()
    assert counted("fizzbuzz_producer_late_bursts_total") == late + 1
    assert counted("fizzbuzz_producer_burst_span_seconds_count") == spans


def test_messages_whose_clock_was_set_back_by_an_hour_are_sent_at_once(
    gateway: FaultyGateway, producer: Producer
) -> None:
    producer.senders.start(1)
    producer.now_ns = DUE_NS - 3_600 * NS_PER_S
    producer.senders.submit(producer.burst(size=10))
    assert producer.tracker.wait_until_delivered(10)
    assert {one.sent_at for one in gateway.received} == {to_rfc3339(producer.now_ns)}
    assert len(gateway.received) == 10


def test_senders_that_run_send_a_whole_burst(gateway: FaultyGateway, producer: Producer) -> None:
    producer.senders.start(1)
    producer.now_ns = DUE_NS + 50 * NS_PER_MS
    producer.senders.submit(producer.burst(size=10))
    assert producer.tracker.wait_until_delivered(10)
    assert sorted(one.number for one in gateway.received) == list(range(10))


def test_what_waits_is_sent_as_soon_as_a_sender_is_there(gateway: FaultyGateway, producer: Producer) -> None:
    assert producer.tracker.reserve(5)
    for number in range(5):
        producer.tracker.defer(Message("run", number, DUE_NS))
    RetrySender(producer.tracker, lambda: producer.client).start(1)
    assert producer.tracker.wait_until_delivered(10)
    assert [one.number for one in gateway.received] == list(range(5))


def test_capacity_is_never_given_twice_by_threads() -> None:
    tracker = DeliveryTracker(capacity=1000)
    given: list[bool] = []
    threads = [
        threading.Thread(target=lambda: given.extend(tracker.reserve(1) for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given.count(True) == 1000
