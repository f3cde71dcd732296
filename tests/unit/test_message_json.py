"""What the gateway accepts as a message, and its errors for anything else."""

import json

import pytest

from gateway.message_json import parse
from gateway.problems import Problem
from pipeline.message import MAX_NUMBER, Message

GOOD = {"run": "run-1", "number": 7, "sent_at": "2026-01-01T12:00:00.123456Z"}
SENT_NS = 1_767_268_800_123_456_000


def refused(body: object) -> Problem:
    with pytest.raises(Problem) as caught:
        parse(body if isinstance(body, bytes) else json.dumps(body).encode(), SENT_NS)
    return caught.value


def pointers(problem: Problem) -> list[str]:
    return [error["pointer"] for error in problem.errors]


def test_one_message() -> None:
    assert parse(json.dumps(GOOD).encode(), SENT_NS + 5) == [Message("run-1", 7, SENT_NS, SENT_NS + 5)]


def test_an_array_of_messages_keeps_its_order() -> None:
    body = json.dumps([GOOD | {"number": n} for n in (3, 1, 2)]).encode()
    assert [message.number for message in parse(b" \r\n\t" + body, SENT_NS)] == [3, 1, 2]


def test_a_message_without_a_run_belongs_to_the_manual_one() -> None:
    (message,) = parse(json.dumps({"number": 0, "sent_at": GOOD["sent_at"]}).encode(), SENT_NS)
    assert message.run == "manual"


@pytest.mark.parametrize(
    "sent_at",
    [
        "2026-01-01T12:00:00.123456Z",
        "2026-01-01T13:30:00.123456+01:30",
        "2026-01-01T12:00:00.123456-00:00",
        "2026-01-01t12:00:00.123456z",
    ],
)
def test_a_time_may_have_any_offset(sent_at: str) -> None:
    (message,) = parse(json.dumps(GOOD | {"sent_at": sent_at}).encode(), SENT_NS)
    assert message.sent_ns == SENT_NS


def test_a_time_may_lie_a_day_ahead_and_no_more() -> None:
    body, day_ns = json.dumps(GOOD).encode(), 86_400 * 10**9
    assert parse(body, SENT_NS - day_ns)[0].sent_ns == SENT_NS
    for ahead, pointer in ((body, "/sent_at"), (b"[%b,%b]" % (body, body), "/0/sent_at")):
        with pytest.raises(Problem) as caught:
            parse(ahead, SENT_NS - day_ns - 1)
        assert (caught.value.status, pointers(caught.value)) == (422, [pointer])


@pytest.mark.parametrize("number", [0, MAX_NUMBER])
def test_the_bounds_of_a_number_are_allowed(number: int) -> None:
    assert parse(json.dumps(GOOD | {"number": number}).encode(), SENT_NS)[0].number == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7.0", 7),
        ("1e3", 1_000),
        ("-0.0", 0),
        ("9007199254740991.0", MAX_NUMBER),
        ("7." + "0" * 1_000, 7),
        ("70e-1", 7),
    ],
)
def test_an_integer_may_be_written_with_a_fraction_of_zero(text: str, number: int) -> None:
    body = json.dumps(GOOD).replace("7", text, 1).encode()
    assert parse(body, SENT_NS)[0].number == number


@pytest.mark.parametrize(
    "text",
    [
        "1.00000000000000000001",
        "9007199254740991.4",
        "9007199254740990.9999999999",
        "9007199254740991.0000000001",
        "1e-400",
        "-1e-400",
        "1e-999999999999999999999",
        "1e999999999999999999999",
        "0." + "0" * 100_000 + "1",
    ],
)
def test_a_fraction_is_no_integer_however_small_it_is(text: str) -> None:
    body = json.dumps(GOOD).encode()
    wrong = body.replace(b"7", text.encode(), 1)
    for refused_body, pointer in ((wrong, "/number"), (b"[%b,%b]" % (body, wrong), "/1/number")):
        problem = refused(refused_body)
        assert (problem.status, pointers(problem)) == (422, [pointer])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", -1),
        ("number", MAX_NUMBER + 1),
        ("number", 1.5),
        ("number", -0.5),
        ("number", 1e300),
        ("number", "7"),
        ("number", True),
        ("number", None),
        ("sent_at", "2026-01-01T12:00:00"),
        ("sent_at", "2026-02-30T12:00:00Z"),
        ("sent_at", "2026-01-01 12:00:00Z"),
        ("sent_at", "2026-01-01T12:00:00Z\n"),
        ("sent_at", "yesterday"),
        ("sent_at", 1_767_268_800),
        ("sent_at", "1969-12-31T23:59:59Z"),
        ("sent_at", "2200-01-01T00:00:00Z"),
        ("sent_at", None),
        ("run", ""),
        ("run", "x" * 65),
        ("run", "a b"),
        ("run", "a\n"),
        ("run", "é"),
        ("run", None),
        ("extra", 1),
    ],
)
def test_a_wrong_field_is_named_by_its_pointer(field: str, value: object) -> None:
    problem = refused(GOOD | {field: value})
    assert (problem.status, pointers(problem)) == (422, [f"/{field}"])
    problem = refused([GOOD, GOOD | {field: value}])
    assert (problem.status, pointers(problem)) == (422, [f"/1/{field}"])


@pytest.mark.parametrize("field", ["number", "sent_at"])
def test_a_missing_field_is_named_by_its_pointer(field: str) -> None:
    problem = refused({key: value for key, value in GOOD.items() if key != field})
    assert (problem.status, pointers(problem)) == (422, [f"/{field}"])


def test_a_pointer_escapes_what_rfc_6901_escapes() -> None:
    assert pointers(refused(GOOD | {"a/b~c": 1})) == ["/a~1b~0c"]


@pytest.mark.parametrize("body", [[], [GOOD] * 1_001, 7, "text", None, [[GOOD]]])
def test_json_of_another_shape_is_a_wrong_field(body: object) -> None:
    assert refused(body).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"number": "x", ',
        b'{"number": NaN}',
        b'{"number": 1, "run": "\xff"}',
        b"[" * 100_000,
        b'{"extra": ' + b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_said_to_be_not_json(body: bytes) -> None:
    assert refused(body).status == 400
