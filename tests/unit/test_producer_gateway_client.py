"""One message as one POST, and what each answer means. The server is a real one that fails on command."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S, to_rfc3339
from producer.attempt import FirstAttempt, Retry
from producer.clock_offset import ClockOffsetEstimator
from producer.gateway_client import (
    MAX_RETRY_AFTER_S,
    Disposition,
    GatewayClient,
    Identity,
    Outcome,
    explanation,
)
from tests.support.faulty_gateway import Answer, FaultyGateway

NOW_NS = 1_767_225_600 * NS_PER_S + 123_456_000
DAY_NS = 86_400 * NS_PER_S
SENT_AT = "2026-01-01T00:00:00.123456Z"

Connect = Callable[..., GatewayClient]


@pytest.fixture
def gateway() -> Iterator[FaultyGateway]:
    server = FaultyGateway()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(gateway: FaultyGateway) -> Iterator[Connect]:
    """Makes clients of that gateway, and closes them."""
    with ExitStack() as made:

        def make(*arguments: Any, **options: Any) -> GatewayClient:
            return made.enter_context(closing(GatewayClient(gateway.url, "run-1", *arguments, **options)))

        yield make


@pytest.fixture
def client(connect: Connect) -> GatewayClient:
    return connect(clock=lambda: NOW_NS)


@pytest.mark.parametrize(("years", "are_sent"), [(1, True), (40, False)])
def test_a_clock_offset_is_sent_unless_the_gateway_would_refuse_it(
    gateway: FaultyGateway, connect: Connect, years: int, are_sent: bool
) -> None:
    offset = ClockOffsetEstimator("run-1")
    offset.add_sample(NOW_NS, NOW_NS + years * 365 * 86_400 * NS_PER_S, NOW_NS)
    connect(clock=lambda: NOW_NS, offset=offset).send(7, Retry(NOW_NS))
    (received,) = gateway.received
    assert ("Clock-Offset-Ns" in received.headers) is are_sent


def test_a_message_is_one_json_object_with_run_number_and_time(
    gateway: FaultyGateway, client: GatewayClient
) -> None:
    client.send(7, Retry(NOW_NS))
    (received,) = gateway.received
    assert received.body == {"run": "run-1", "number": 7, "sent_at": SENT_AT}
    assert received.headers["Content-Type"] == "application/json"
    assert "Authorization" not in received.headers


def test_a_token_is_sent_as_a_bearer_token(gateway: FaultyGateway, connect: Connect) -> None:
    connect(Identity(lambda: "s3cret")).send(7, Retry(NOW_NS))
    assert gateway.received[0].headers["Authorization"] == "Bearer s3cret"


def test_each_request_has_the_token_of_its_moment(gateway: FaultyGateway, connect: Connect) -> None:
    tokens = iter(["old", "new"])
    client = connect(Identity(lambda: next(tokens)))
    client.send(7, Retry(NOW_NS))
    client.send(8, Retry(NOW_NS))
    assert [one.headers["Authorization"] for one in gateway.received] == ["Bearer old", "Bearer new"]


def test_the_key_of_its_run_is_sent_with_every_request(gateway: FaultyGateway, connect: Connect) -> None:
    client = connect(Identity(run_key="k" * 32))
    client.send(7, Retry(NOW_NS))
    client.send(8, Retry(NOW_NS))
    assert [one.headers["Run-Key"] for one in gateway.received] == ["k" * 32] * 2


def test_without_token_and_key_none_is_sent(gateway: FaultyGateway, client: GatewayClient) -> None:
    client.send(7, Retry(NOW_NS))
    assert not {"Authorization", "Run-Key"} & gateway.received[0].headers.keys()


def test_a_202_means_that_the_message_is_persisted(client: GatewayClient) -> None:
    outcome = client.send(7, Retry(NOW_NS))
    assert outcome.disposition is Disposition.ACKNOWLEDGED
    assert not outcome.duplicate


def test_a_202_for_a_repeat_is_known_as_one(gateway: FaultyGateway, client: GatewayClient) -> None:
    gateway.answer = Answer(duplicates=1)
    assert client.send(7, Retry(NOW_NS)).duplicate


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"\xff"])
def test_a_202_counts_whatever_its_body(gateway: FaultyGateway, client: GatewayClient, body: bytes) -> None:
    gateway.answer = Answer(body=body)
    assert client.send(7, Retry(NOW_NS)).disposition is Disposition.ACKNOWLEDGED


@pytest.mark.parametrize("status", [200, 204, 302, 408, 425, 429, 500, 502, 503, 504])
def test_these_are_tried_again(gateway: FaultyGateway, client: GatewayClient, status: int) -> None:
    gateway.answer = Answer(status, body=b"")
    assert client.send(7, Retry(NOW_NS)).disposition is Disposition.RETRY


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 421])
def test_what_a_setting_causes_is_tried_again_slowly(
    gateway: FaultyGateway, client: GatewayClient, status: int
) -> None:
    gateway.answer = Answer(status)
    assert client.send(7, Retry(NOW_NS)).disposition is Disposition.RETRY_SLOW


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_these_can_never_succeed(gateway: FaultyGateway, client: GatewayClient, status: int) -> None:
    gateway.answer = Answer(status, body=b"no")
    outcome = client.send(7, Retry(NOW_NS))
    assert (outcome.disposition, outcome.cause, outcome.detail) == (Disposition.REJECTED, str(status), "no")


def wrong(*pointers: str) -> Answer:
    """The gateway's answer where these fields are invalid."""
    errors = [{"pointer": pointer, "detail": "must be another"} for pointer in pointers]
    return Answer(422, body=json.dumps({"status": 422, "errors": errors}).encode())


def test_a_time_that_only_the_gateways_clock_refuses_is_tried_again_slowly(
    gateway: FaultyGateway, client: GatewayClient
) -> None:
    gateway.answer = wrong("/sent_at")
    outcome = client.send(7, Retry(NOW_NS))
    assert outcome.disposition is Disposition.RETRY_SLOW
    assert "check the clocks of producer and gateway" in explanation(outcome)


@pytest.mark.parametrize("answer", [wrong("/number"), wrong("/number", "/sent_at"), Answer(422, body=b"[]")])
def test_what_no_clock_changes_can_never_succeed(
    gateway: FaultyGateway, client: GatewayClient, answer: Answer
) -> None:
    gateway.answer = answer
    assert client.send(7, Retry(NOW_NS)).disposition is Disposition.REJECTED


def test_a_time_that_this_clock_refuses_too_blocks_no_other_message(
    gateway: FaultyGateway, client: GatewayClient
) -> None:
    gateway.answer = wrong("/sent_at")
    assert client.send(7, Retry(NOW_NS + DAY_NS + 1)).disposition is Disposition.REJECTED
    assert client.send(7, Retry(NOW_NS + DAY_NS)).disposition is Disposition.RETRY_SLOW


def test_a_refused_connection_is_tried_again(gateway: FaultyGateway, client: GatewayClient) -> None:
    gateway.stop()
    assert client.send(7, Retry(NOW_NS)).disposition is Disposition.RETRY


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("1", 1.0),
        ("0", 0.0),
        ("30", 30.0),
        ("99999999999", MAX_RETRY_AFTER_S),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10 - 0.123456),
        ("Thu, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:00:10 -0000", 10 - 0.123456),
    ],
)
def test_retry_after_is_understood(
    gateway: FaultyGateway, client: GatewayClient, header: str, wait_s: float
) -> None:
    gateway.answer = Answer(503, (("Retry-After", header),))
    assert client.send(7, Retry(NOW_NS)).retry_after_s == pytest.approx(wait_s)


class FakeTime:
    """A clock that only moves when one sleeps."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def clock(self) -> int:
        return self.now_ns

    def sleep(self, duration_s: float) -> None:
        self.now_ns += round(duration_s * NS_PER_S)


def test_a_message_leaves_when_it_is_due_and_says_so(gateway: FaultyGateway, client: GatewayClient) -> None:
    time = FakeTime()
    attempt = FirstAttempt(
        NOW_NS + 30 * NS_PER_MS, NOW_NS + 130 * NS_PER_MS, time.clock, max_early_ns=NS_PER_S, sleep=time.sleep
    )
    client.send(7, attempt)
    assert attempt.sent_ns == attempt.left_ns == NOW_NS + 30 * NS_PER_MS
    assert gateway.received[0].sent_at == to_rfc3339(NOW_NS + 30 * NS_PER_MS)


def test_nothing_of_a_message_leaves_before_it_is_due(gateway: FaultyGateway, client: GatewayClient) -> None:
    client.send(6, Retry(NOW_NS))  # opens the connection
    seen: list[int] = []
    time = FakeTime()

    def sleep(duration_s: float) -> None:
        seen.append(len(gateway.received))
        time.sleep(duration_s)

    client.send(
        7, FirstAttempt(NOW_NS + NS_PER_MS, NOW_NS + NS_PER_S, time.clock, max_early_ns=NS_PER_S, sleep=sleep)
    )
    assert seen == [1]
    assert len(gateway.received) == 2


def test_a_message_that_leaves_far_too_late_gives_its_due_time(
    gateway: FaultyGateway, client: GatewayClient
) -> None:
    time = FakeTime()
    attempt = FirstAttempt(
        NOW_NS - 150 * NS_PER_MS, NOW_NS - 50 * NS_PER_MS, time.clock, max_early_ns=NS_PER_S, sleep=time.sleep
    )
    client.send(7, attempt)
    assert attempt.left_ns is None
    assert gateway.received[0].sent_at == to_rfc3339(NOW_NS - 150 * NS_PER_MS)


def test_a_message_that_never_left_has_its_due_time(gateway: FaultyGateway, client: GatewayClient) -> None:
    gateway.stop()
    time = FakeTime()
    attempt = FirstAttempt(NOW_NS, NOW_NS + NS_PER_MS, time.clock, max_early_ns=NS_PER_S, sleep=time.sleep)
    client.send(7, attempt)
    assert attempt.left_ns is None
    assert attempt.sent_ns == NOW_NS


@pytest.mark.parametrize(
    ("status", "setting"),
    [
        (401, "FIZZBUZZ_API_TOKEN"),
        (403, "the proxy in front of it"),
        (404, "FIZZBUZZ_GATEWAY_URL"),
        (405, "FIZZBUZZ_GATEWAY_URL"),
        (409, "FIZZBUZZ_API_TOKEN, whose first token must have the name that it had when this run began"),
        (421, "FIZZBUZZ_HOSTS"),
        (407, "the settings"),
    ],
)
def test_a_refusal_that_a_setting_causes_names_it(status: int, setting: str) -> None:
    said = explanation(Outcome(Disposition.RETRY_SLOW, str(status)))
    assert said == f"the gateway refuses this sender; check {setting}"
