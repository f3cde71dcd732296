"""Every text that the API answers to bad input: about JSON and HTTP, not about Python or its libraries."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from gateway.problems import Problem
from gateway.request_body import MAX_BODY, Held
from gateway.request_reader import RequestReader
from pipeline.queue import client as queue
from tests.support.gateway_on_loop import Gateways
from tests.support.gateway_process import GOOD
from tests.support.in_process_consumer import Consumer

NUMBER = "must be a whole number from 0 to 9007199254740991"
RUN = "must be a string of 1 to 64 of A-Z a-z 0-9 . _ : -"
SENT_AT = (
    "must be a time as in RFC 3339, with an offset, in the years 1970 to 2199,"
    " such as 2026-01-01T12:00:00.123456Z"
)
UNKNOWN = "is not a field of a message: run, number and sent_at are"
TWICE = "must not be there twice in one object"

FOREIGN_WORDS = re.compile(
    r"expected `|regex|`int`|`str`|`array`|`object`|\bNone\b|\bdict\b|recursion|codec|[\^]|\\Z|Error\b"
    r"|Traceback|msgspec|werkzeug|grpc|StatusCode|ipv4:|browser \(or proxy\)|1048576",
    re.IGNORECASE,
)
"""What only who knows the implementation would understand."""

TIME = '"sent_at":"2026-01-01T12:00:00Z"'
"""Stands where a body below has an @."""
SYNTAX = "the body is not JSON: "

WRONG_FIELDS = {
    '{"number":-1,@}': [("/number", NUMBER)],
    '{"number":9007199254740992,@}': [("/number", NUMBER)],
    '{"number":' + "1" * 5_000 + ",@}": [("/number", NUMBER)],
    '{"number":1e400,@}': [("/number", NUMBER)],
    '{"number":1e400,"\\ud800":1,@}': [("/number", NUMBER), ("/?", UNKNOWN)],
    '{"number":1.5,@}': [("/number", NUMBER)],
    '{"number":"7",@}': [("/number", NUMBER)],
    '{"number":null,@}': [("/number", NUMBER)],
    '{"number":true,@}': [("/number", NUMBER)],
    '{"number":[7],@}': [("/number", NUMBER)],
    '{"number":7}': [("/sent_at", "is missing")],
    "{}": [("/number", "is missing"), ("/sent_at", "is missing")],
    '{"number":7,"sent_at":"2026-02-30T12:00:00Z"}': [("/sent_at", SENT_AT)],
    '{"number":7,"sent_at":"2026-01-01T12:00:00"}': [("/sent_at", SENT_AT)],
    '{"number":7,"sent_at":1767268800}': [("/sent_at", SENT_AT)],
    '{"number":7,"sent_at":"2400-01-01T12:00:00Z"}': [("/sent_at", SENT_AT)],
    '{"number":7,"sent_at":"2199-01-01T12:00:00Z"}': [
        ("/sent_at", "must not be more than a day ahead of the gateway's clock")
    ],
    '{"number":7,@,"run":""}': [("/run", RUN)],
    '{"number":7,@,"run":"a b"}': [("/run", RUN)],
    '{"number":7,@,"run":5}': [("/run", RUN)],
    '{"number":7,@,"run":"' + "x" * 65 + '"}': [("/run", RUN)],
    '{"number":7,@,"a/b~":1}': [("/a~1b~0", UNKNOWN)],
    '{"number":-7,"sent_at":1,"run":"","x":1}': [
        ("/run", RUN),
        ("/number", NUMBER),
        ("/sent_at", SENT_AT),
        ("/x", UNKNOWN),
    ],
    '{"number":7,"number":8,@}': [("/number", TWICE)],
    '{"number":7,"number":7,@}': [("/number", TWICE)],
    '{"number":"x","number":7,@}': [("/number", TWICE)],
    '{"number":7,@,"run":"a","run":"b"}': [("/run", TWICE)],
    '{"number":7,@,@}': [("/sent_at", TWICE)],
    '{"number":7,"numb\\u0065r":8,@}': [("/number", TWICE)],
    '[{"number":7,@},{"number":8,"number":9,@}]': [("/1/number", TWICE)],
    '[{"number":7,@},{"number":-8,@}]': [("/1/number", NUMBER)],
    '[{"number":-7,@}]': [("/0/number", NUMBER)],
    '[{"number":7,"sent_at":"2026-02-30T12:00:00Z"}]': [("/0/sent_at", SENT_AT)],
    "[]": [("", "must be an array of 1 to 1,000 messages, not of 0")],
    f"[{','.join(['1'] * 1_001)}]": [("", "must be an array of 1 to 1,000 messages, not of 1,001")],
    "[7]": [("/0", "must be a JSON object")],
    "[[]]": [("/0", "must be a JSON object")],
    '"text"': [("", "must be a JSON object, or an array of 1 to 1,000 of them")],
    "7": [("", "must be a JSON object, or an array of 1 to 1,000 of them")],
    "null": [("", "must be a JSON object, or an array of 1 to 1,000 of them")],
    "1e400": [("", "must be a JSON object, or an array of 1 to 1,000 of them")],
}

NOT_JSON = {
    b"": "the body is empty: a message, or an array of messages, is required",
    b" \r\n": "the body is empty: a message, or an array of messages, is required",
    b"{": f"{SYNTAX}it ends too early",
    b'{"number": 7': f"{SYNTAX}it ends too early",
    b"nonsense": f"{SYNTAX}invalid character (byte 4)",
    b"{'number': 7}": f"{SYNTAX}object keys must be strings (byte 1)",
    b'{"number": NaN}': f"{SYNTAX}invalid character (byte 11)",
    b'{"number": 7,}': f"{SYNTAX}trailing comma in object (byte 13)",
    b'{"number": -1} x': f"{SYNTAX}trailing characters (byte 16)",
    b'{"run": "\xff"}': f"{SYNTAX}not UTF-8",
    b"[" * 100_000: f"{SYNTAX}too many levels of arrays and objects",
    b'{"number": 1, "x": ' + b"[" * 100_000: f"{SYNTAX}too many levels of arrays and objects",
    b'{"number": 1e400, nonsense': (
        f"{SYNTAX}expecting property name enclosed in double quotes (character 18)"
    ),
}


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path_factory.mktemp("metrics")))
        yield


@pytest.fixture
def api(redis: Redis, counters: None) -> Iterator[FlaskClient]:
    consumer, gateways = Consumer(redis), Gateways()
    yield gateways.api(consumer.address)
    gateways.close()
    consumer.stop()


def answered(
    api: FlaskClient, body: bytes, content_type: str = "application/json", **headers: str
) -> dict[str, object]:
    """The problem that the API answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = api.post("/messages", data=body, content_type=content_type, headers=named)
    assert response.content_type == "application/problem+json"
    assert not FOREIGN_WORDS.search(response.text), response.text
    problem: dict[str, object] = json.loads(response.text)
    assert problem["status"] == response.status_code
    return problem


def test_each_wrong_field_has_its_pointer_and_what_it_must_be(api: FlaskClient, redis: Redis) -> None:
    for body, errors in WRONG_FIELDS.items():
        problem = answered(api, body.replace("@", TIME).encode())
        expected = [{"pointer": pointer, "detail": detail} for pointer, detail in errors]
        assert (problem["status"], problem["errors"]) == (422, expected), body[:100]
        pointer, detail = errors[0]
        assert problem["detail"] == f"{pointer or 'the body'}: {detail}"
    assert queue.depth(redis) == 0


def test_what_is_not_json_is_said_in_terms_of_json(api: FlaskClient) -> None:
    for body, detail in NOT_JSON.items():
        problem = answered(api, body)
        assert (problem["status"], problem["detail"]) == (400, detail), body[:100]


def test_at_most_ten_wrong_fields_are_listed(api: FlaskClient) -> None:
    errors = answered(api, json.dumps([GOOD | {"number": -1}] * 1_000).encode())["errors"]
    assert [error["pointer"] for error in errors] == [f"/{index}/number" for index in range(10)]  # type: ignore[attr-defined]


def test_a_quotation_mark_where_none_belongs_is_a_wrong_field_not_a_repeated_name(api: FlaskClient) -> None:
    problem = answered(api, b'{"number":7,"sent_at":"2026-01-01T12:00:00Z","run":"a\\"b"}')
    assert problem["errors"] == [{"pointer": "/run", "detail": RUN}]


def test_a_name_or_value_with_escapes_is_no_repeated_one(api: FlaskClient) -> None:
    body = '{"n\\u0075mber": 7, "sent_at": "2026-01-01T12:00:00Z", "run": "\\u0061"}'
    response = api.post("/messages", data=body, content_type="application/json")
    assert response.status_code == 202


def test_a_doubled_name_is_refused_in_a_full_array_too(api: FlaskClient) -> None:
    good = [json.dumps(GOOD | {"number": number}) for number in range(999)]
    doubled = json.dumps(GOOD).replace('"number"', '"number": 3, "number"')
    problem = answered(api, f"[{','.join([*good, doubled])}]".encode())
    assert problem["errors"] == [{"pointer": "/999/number", "detail": TWICE}]


@pytest.mark.parametrize(
    ("status", "headers", "detail"),
    [
        (415, {"content_type": "text/plain"}, "the body must be application/json, without a content coding"),
        (415, {"Content_Encoding": "gzip"}, "the body must be application/json, without a content coding"),
        (403, {"Origin": "https://evil.example"}, "pages of other sites may not send messages"),
        (421, {"Host": "evil.example"}, "unknown host; FIZZBUZZ_HOSTS allows further ones"),
        (422, {"Run_Key": "short"}, "Run-Key: must be 16 to 128 of A-Z a-z 0-9 _ -"),
        (422, {"Clock_Offset_Ns": "1.5"}, "Clock-Offset-Ns: must be a whole number of up to 18 digits"),
    ],
)
def test_a_wrong_header_is_named(api: FlaskClient, status: int, headers: dict[str, str], detail: str) -> None:
    problem = answered(api, json.dumps(GOOD).encode(), **headers)
    assert (problem["status"], problem["detail"]) == (status, detail)


@pytest.mark.parametrize("length", [MAX_BODY + 1, 8 * MAX_BODY + 1])  # the longer one is not read
def test_too_large_a_body_is_said_in_mib(length: int) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % length
    (problem,) = RequestReader(Held()).feed(head + b" " * (MAX_BODY + 1))
    assert isinstance(problem, Problem)
    assert problem.detail == "the body is over 1 MiB"


def test_another_path_and_another_method_name_the_right_ones(api: FlaskClient) -> None:
    assert api.get("/nowhere").json["detail"] == "there is nothing at this path: GET / lists what there is"  # type: ignore[index]
    for method in ("GET", "PUT", "DELETE"):
        problem = api.open("/messages", method=method).json
        assert problem
        assert "POST /messages" in problem["detail"]


def test_an_unavailable_consumer_or_queue_names_no_address(
    redis: Redis, counters: None, tmp_path: Path
) -> None:
    consumer, gateways = Consumer(redis), Gateways()
    try:
        api = gateways.api(consumer.address)
        consumer.stop()
        problem = answered(api, json.dumps(GOOD).encode())
    finally:
        gateways.close()
    assert (problem["status"], problem["detail"]) == (
        503,
        "the consumer or its queue is unavailable: send the messages again",
    )
