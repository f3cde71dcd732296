"""One message as one POST, and what each answer means. The server is a real one that fails on command."""

from collections.abc import Iterator

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S, to_rfc3339
from producer.departure import First, Repeat
from producer.post import MAX_RETRY_AFTER_S, Identity, Post, Verdict
from tests.faulty_gateway import Answer, FaultyGateway

NOW_NS = 1_767_225_600 * NS_PER_S + 123_456_000
SENT_AT = "2026-01-01T00:00:00.123456Z"


@pytest.fixture
def gateway() -> Iterator[FaultyGateway]:
    server = FaultyGateway()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def post(gateway: FaultyGateway) -> Post:
    return Post(gateway.url, "run-1", clock=lambda: NOW_NS)


def test_a_message_is_one_json_object_with_run_number_and_time(gateway: FaultyGateway, post: Post) -> None:
    post.send(7, Repeat(NOW_NS))
    (received,) = gateway.received
    assert received.body == {"run": "run-1", "number": 7, "sent_at": SENT_AT}
    assert received.headers["Content-Type"] == "application/json"
    assert "Authorization" not in received.headers


def test_a_token_is_sent_as_a_bearer_token(gateway: FaultyGateway) -> None:
    Post(gateway.url, "run-1", Identity(lambda: "s3cret")).send(7, Repeat(NOW_NS))
    assert gateway.received[0].headers["Authorization"] == "Bearer s3cret"


def test_each_request_has_the_token_of_its_moment(gateway: FaultyGateway) -> None:
    tokens = iter(["old", "new"])
    post = Post(gateway.url, "run-1", Identity(lambda: next(tokens)))
    post.send(7, Repeat(NOW_NS))
    post.send(8, Repeat(NOW_NS))
    assert [one.headers["Authorization"] for one in gateway.received] == ["Bearer old", "Bearer new"]


def test_the_key_of_its_run_is_sent_with_every_request(gateway: FaultyGateway) -> None:
    post = Post(gateway.url, "run-1", Identity(run_key="k" * 32))
    post.send(7, Repeat(NOW_NS))
    post.send(8, Repeat(NOW_NS))
    assert [one.headers["Run-Key"] for one in gateway.received] == ["k" * 32] * 2


def test_without_token_and_key_none_is_sent(gateway: FaultyGateway, post: Post) -> None:
    post.send(7, Repeat(NOW_NS))
    assert not {"Authorization", "Run-Key"} & gateway.received[0].headers.keys()


def test_a_202_says_that_the_message_is_safe(post: Post) -> None:
    outcome = post.send(7, Repeat(NOW_NS))
    assert outcome.verdict is Verdict.ACKNOWLEDGED
    assert not outcome.duplicate


def test_a_202_for_a_repeat_is_known_as_one(gateway: FaultyGateway, post: Post) -> None:
    gateway.answer = Answer(duplicates=1)
    assert post.send(7, Repeat(NOW_NS)).duplicate


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"\xff"])
def test_a_202_counts_whatever_its_body(gateway: FaultyGateway, post: Post, body: bytes) -> None:
    gateway.answer = Answer(body=body)
    assert post.send(7, Repeat(NOW_NS)).verdict is Verdict.ACKNOWLEDGED


@pytest.mark.parametrize("status", [200, 204, 302, 408, 425, 429, 500, 502, 503, 504])
def test_these_are_tried_again(gateway: FaultyGateway, post: Post, status: int) -> None:
    gateway.answer = Answer(status, body=b"")
    assert post.send(7, Repeat(NOW_NS)).verdict is Verdict.AGAIN


@pytest.mark.parametrize("status", [401, 403, 421])
def test_what_a_setting_is_to_blame_for_is_tried_again_slowly(
    gateway: FaultyGateway, post: Post, status: int
) -> None:
    gateway.answer = Answer(status)
    assert post.send(7, Repeat(NOW_NS)).verdict is Verdict.AGAIN_SLOWLY


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 415, 422])
def test_these_can_never_succeed(gateway: FaultyGateway, post: Post, status: int) -> None:
    gateway.answer = Answer(status, body=b"no")
    outcome = post.send(7, Repeat(NOW_NS))
    assert (outcome.verdict, outcome.cause, outcome.detail) == (Verdict.REJECTED, str(status), "no")


def test_a_refused_connection_is_tried_again(gateway: FaultyGateway, post: Post) -> None:
    gateway.stop()
    assert post.send(7, Repeat(NOW_NS)).verdict is Verdict.AGAIN


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
def test_retry_after_is_understood(gateway: FaultyGateway, post: Post, header: str, wait_s: float) -> None:
    gateway.answer = Answer(503, (("Retry-After", header),))
    assert post.send(7, Repeat(NOW_NS)).retry_after_s == pytest.approx(wait_s)


class FakeTime:
    """A clock that only moves when one sleeps."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def clock(self) -> int:
        return self.now_ns

    def sleep(self, duration_s: float) -> None:
        self.now_ns += round(duration_s * NS_PER_S)


def test_a_message_leaves_when_it_is_due_and_says_so(gateway: FaultyGateway, post: Post) -> None:
    time = FakeTime()
    departure = First(NOW_NS + 30 * NS_PER_MS, NOW_NS + 130 * NS_PER_MS, time.clock, time.sleep)
    post.send(7, departure)
    assert departure.sent_ns == departure.left_ns == NOW_NS + 30 * NS_PER_MS
    assert gateway.received[0].sent_at == to_rfc3339(NOW_NS + 30 * NS_PER_MS)


def test_nothing_of_a_message_leaves_before_it_is_due(gateway: FaultyGateway, post: Post) -> None:
    post.send(6, Repeat(NOW_NS))  # opens the connection
    seen: list[int] = []
    time = FakeTime()

    def sleep(duration_s: float) -> None:
        seen.append(len(gateway.received))
        time.sleep(duration_s)

    post.send(7, First(NOW_NS + NS_PER_MS, NOW_NS + NS_PER_S, time.clock, sleep))
    assert seen == [1]
    assert len(gateway.received) == 2


def test_a_message_that_leaves_far_too_late_gives_its_due_time(gateway: FaultyGateway, post: Post) -> None:
    time = FakeTime()
    departure = First(NOW_NS - 150 * NS_PER_MS, NOW_NS - 50 * NS_PER_MS, time.clock, time.sleep)
    post.send(7, departure)
    assert departure.left_ns is None
    assert gateway.received[0].sent_at == to_rfc3339(NOW_NS - 150 * NS_PER_MS)


def test_a_message_that_never_left_has_its_due_time(gateway: FaultyGateway, post: Post) -> None:
    gateway.stop()
    time = FakeTime()
    departure = First(NOW_NS, NOW_NS + NS_PER_MS, time.clock, time.sleep)
    post.send(7, departure)
    assert departure.left_ns is None
    assert departure.sent_ns == NOW_NS
