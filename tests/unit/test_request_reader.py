"""Requests are read by RFC 9112, within limits; what could be read in two ways is an error."""

import time

import pytest

from gateway.problems import Problem
from gateway.request_body import MAX_BODY, MAX_SKIPPED, Held
from gateway.request_reader import (
    BODY_TIMEOUT_S,
    HEAD_TIMEOUT_S,
    MAX_FIELDS,
    MAX_HEAD,
    REQUEST_TIMEOUT_S,
    Reading,
    Request,
    RequestReader,
)

HEAD = b"POST /messages?a=1 HTTP/1.1\r\nHost: here\r\n"
POST = HEAD + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes) -> list[Request | Problem]:
    reader = RequestReader(Held())
    return [item for piece in pieces for item in reader.feed(piece)]


def one(*pieces: bytes) -> Request:
    (request,) = read(*pieces)
    assert isinstance(request, Request)
    return request


def refused(*pieces: bytes) -> int:
    (problem,) = read(*pieces)
    assert isinstance(problem, Problem)
    return problem.status


@pytest.mark.parametrize("pieces", [[POST], [bytes([byte]) for byte in POST]], ids=["at once", "by bytes"])
def test_a_request_is_read_whole(pieces: list[bytes]) -> None:
    request = one(*pieces)
    assert (request.method, request.target, request.version) == ("POST", b"/messages?a=1", "1.1")
    assert request.headers == [(b"Host", b"here"), (b"Content-Length", b"2")]
    assert request.body == b"{}"


def test_it_must_be_answered_in_time_from_its_head_on() -> None:
    reader = RequestReader(Held())
    before_s = time.monotonic()
    reader.feed(HEAD + b"Content-Length: 2\r\n\r\n")
    after_s = time.monotonic()
    (request,) = reader.feed(b"{}")
    assert isinstance(request, Request)
    assert before_s <= request.deadline_s - REQUEST_TIMEOUT_S <= after_s


def test_requests_may_follow_one_another_without_waiting() -> None:
    requests = read(POST + POST + POST[:-1], POST[-1:])
    assert [request.body for request in requests if isinstance(request, Request)] == [b"{}"] * 3
    assert [len(request.headers) for request in requests if isinstance(request, Request)] == [2] * 3


def test_a_chunked_body_is_read_and_its_trailers_are_no_headers() -> None:
    request = one(CHUNKED + b"1\r\n{\r\n", b"1;ext=1\r\n}\r\n0\r\nRun-Key: late\r\n\r\n")
    assert request.body == b"{}"
    assert [name for name, _ in request.headers] == [b"Host", b"Transfer-Encoding"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: +2\r\n\r\n{}",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        HEAD + b"X: 1\r\n folded\r\n\r\n",
        HEAD + b"X : 1\r\n\r\n",
        HEAD.replace(b"\r\n", b"\n") + b"\n",
        HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2\r\n{}x\r\n",
        CHUNKED + b"nonsense\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
    ],
)
def test_what_is_not_valid_is_400_and_ends_the_reading(request_bytes: bytes) -> None:
    reader = RequestReader(Held())
    (problem,) = reader.feed(request_bytes)
    assert isinstance(problem, Problem)
    assert problem.status == 400
    assert reader.state is Reading.ENDED
    assert reader.feed(POST) == []


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n",
    ],
)
def test_another_transfer_coding_is_501_and_ends_the_reading(fields: bytes) -> None:
    reader = RequestReader(Held())
    (problem,) = reader.feed(HEAD + fields + b"\r\n2\r\n{}\r\n0\r\n\r\n" + POST)
    assert isinstance(problem, Problem)
    assert problem.status == 501
    assert reader.state is Reading.ENDED


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n"])
def test_another_version_is_505(line: bytes) -> None:
    assert refused(line) == 505


def test_a_head_has_a_limit() -> None:
    field = b"X: " + b"x" * 1_000 + b"\r\n"
    assert isinstance(one(HEAD + field * 60 + b"\r\n"), Request)
    assert refused(HEAD, *[field] * (MAX_HEAD // len(field) + 1)) == 431
    assert refused(HEAD + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n") == 431, "also where it comes at once"
    assert refused(HEAD.replace(b"a=1", b"a" * MAX_HEAD) + b"\r\n") == 431


def test_a_head_has_a_limited_number_of_fields() -> None:
    fields = HEAD.count(b"\r\n") - 1
    assert isinstance(one(HEAD + b"a:b\r\n" * (MAX_FIELDS - fields) + b"\r\n"), Request)
    assert refused(HEAD + b"a:b\r\n" * (MAX_FIELDS - fields + 1) + b"\r\n") == 431


def test_what_surrounds_the_chunks_of_a_body_has_a_limit() -> None:
    single = b"1\r\nx\r\n"
    assert isinstance(one(CHUNKED, *[single * 1_000] * 100, b"0\r\n\r\n"), Request)
    assert refused(CHUNKED, b"0\r\nX: ", *[b"x" * 1_000] * (MAX_HEAD // 1_000 + 1)) == 431
    extended = b"1;" + b"x" * 1_000 + b"\r\nx\r\n"
    assert refused(CHUNKED, *[extended] * (MAX_HEAD // 1_000 + 2)) == 431
    earlier = HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000
    found = read(earlier * 3 + CHUNKED, single, b"0\r\n\r\n")
    assert [type(each) for each in found] == [Request] * 4
    found = read(HEAD + b"Content-Length: 90000\r\n\r\n", b"x" * 90_000 + HEAD, b"Content-Length: 0\r\n\r\n")
    assert [type(each) for each in found] == [Request] * 2


def test_too_large_a_body_is_413_at_once_where_its_length_is_declared() -> None:
    assert refused(HEAD + b"content-length: %d\r\n\r\n" % (MAX_SKIPPED + 1)) == 413


def test_too_large_a_body_is_413_once_it_has_been_skipped() -> None:
    piece = b"x" * (MAX_BODY // 2)
    head = HEAD + b"Content-Length: %d\r\n\r\n" % (3 * len(piece))
    assert read(head, piece, piece) == []
    assert refused(head, piece, piece, piece) == 413
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    assert refused(CHUNKED, chunk, chunk, chunk, b"0\r\n\r\n") == 413
    assert refused(CHUNKED, *[chunk] * (MAX_SKIPPED // len(piece) + 1)) == 413


def test_memory_is_given_back_however_a_request_ends() -> None:
    held = Held()
    large = HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000
    for end in (
        lambda r: r.feed(b"x" * 50_000),
        RequestReader.cut_off,
        RequestReader.expire,
        RequestReader.end,
    ):
        reader = RequestReader(held)
        reader.feed(large)
        assert held.size == 50_000
        end(reader)
        assert held.size == 0


def test_who_waits_for_100_continue_is_known_until_the_body_comes() -> None:
    reader = RequestReader(Held())
    reader.feed(HEAD + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.expects_continue
    reader.feed(b"{")
    assert not reader.expects_continue
    reader.feed(b"}")
    reader.feed(HEAD + b"Content-Length: 2\r\n\r\n")
    assert not reader.expects_continue


@pytest.mark.parametrize(
    "last", [HEAD + b"Connection: close\r\n\r\n", b"CONNECT here:80 HTTP/1.1\r\nContent-Length: 2\r\n\r\n"]
)
def test_nothing_is_read_after_the_last_request(last: bytes) -> None:
    reader = RequestReader(Held())
    (request,) = reader.feed(last + POST)
    assert isinstance(request, Request)
    assert reader.state is Reading.ENDED
    assert reader.feed(POST) == []


@pytest.mark.parametrize(("field", "kept"), [(b"", False), (b"Connection: keep-alive\r\n", True)])
def test_http_1_0_ends_the_connection_unless_told_otherwise(field: bytes, kept: bool) -> None:
    reader = RequestReader(Held())
    (request,) = reader.feed(b"GET / HTTP/1.0\r\n" + field + b"\r\n")
    assert isinstance(request, Request)
    assert request.version == "1.0"
    assert (reader.state is Reading.NOTHING) is kept


@pytest.mark.parametrize(
    ("begun", "seconds", "text"),
    [
        (HEAD, HEAD_TIMEOUT_S, "the head did not arrive within 15 s"),
        (CHUNKED + b"1\r\n{\r\n", BODY_TIMEOUT_S, "the body did not arrive within 4 s"),
    ],
)
def test_what_does_not_arrive_in_time_is_408(begun: bytes, seconds: float, text: str) -> None:
    reader = RequestReader(Held())
    before_s = time.monotonic()
    reader.feed(begun[:-1])
    reader.feed(begun[-1:])
    assert reader.due_s is not None
    assert before_s + seconds <= reader.due_s <= time.monotonic() + seconds
    (problem,) = reader.expire()
    assert isinstance(problem, Problem)
    assert (problem.status, problem.detail) == (408, text)


def test_between_two_requests_nothing_is_due() -> None:
    reader = RequestReader(Held())
    assert reader.due_s is None
    reader.feed(POST)
    assert reader.due_s is None
    assert reader.cut_off() == []


@pytest.mark.parametrize("begun", [HEAD, CHUNKED + b"2\r\n{}\r\n"])
def test_a_request_that_breaks_off_is_400(begun: bytes) -> None:
    reader = RequestReader(Held())
    reader.feed(begun)
    (problem,) = reader.cut_off()
    assert isinstance(problem, Problem)
    assert problem.status == 400
