"""A request that asks for another protocol is read as if it did not (RFC 9110, section 7.8)."""

import pytest

from gateway.problems import Problem
from gateway.request_body import MAX_SKIPPED, Held
from gateway.request_reader import Reading, Request, RequestReader

ASKS = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
"""As curl --http2 and Java's HttpClient write it."""
HEAD = b"POST /messages HTTP/1.1\r\nHost: here\r\n" + ASKS
POST = HEAD + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: here\r\n" + ASKS + b"\r\n"


def read(reader: RequestReader, sent: bytes, size: int) -> list[Request | Problem]:
    pieces = (sent[start : start + size] for start in range(0, len(sent), size))
    return [item for piece in pieces for item in reader.feed(piece)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_it_is_read_with_its_body_and_further_ones_follow(size: int) -> None:
    reader = RequestReader(Held())
    found = read(reader, POST + GET + CHUNKED + POST, size)
    requests = [item for item in found if isinstance(item, Request)]
    assert [(request.method, request.body) for request in requests] == [
        ("POST", b"{}"),
        ("GET", b""),
        ("POST", b"{}"),
        ("POST", b"{}"),
    ]
    assert {request.target for request in requests} == {b"/messages", b"/healthz"}
    assert (b"Content-Length", b"2") in requests[0].headers
    assert reader.state is Reading.NOTHING
    assert reader.due_s is None


def test_many_that_come_together_are_all_read() -> None:
    assert len(read(RequestReader(Held()), GET * 2_000, 1 << 20)) == 2_000


@pytest.mark.parametrize(
    "begin",
    [
        HEAD.replace(b"Upgrade, ", b"Upgrade, close, ") + b"Content-Length: 2\r\n\r\n",
        HEAD.replace(b"/1.1", b"/1.0") + b"Content-Length: 2\r\n\r\n",
    ],
)
def test_a_connection_that_ends_afterwards_does(begin: bytes) -> None:
    reader = RequestReader(Held())
    (request,) = read(reader, begin + b"{}", 1)
    assert isinstance(request, Request)
    assert request.body == b"{}"
    assert reader.state is Reading.ENDED


def test_its_limits_are_those_of_any_request() -> None:
    for wrong, status in (
        (b"Transfer-Encoding: gzip", 400),
        (b"Content-Length: %d" % (MAX_SKIPPED + 1), 413),
    ):
        (problem,) = RequestReader(Held()).feed(HEAD + wrong + b"\r\n\r\n{}")
        assert isinstance(problem, Problem)
        assert problem.status == status


def test_its_body_may_be_late_and_has_a_limit_of_time() -> None:
    reader = RequestReader(Held())
    assert reader.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") == []
    assert reader.expects_continue
    assert reader.state is Reading.BODY
    assert reader.due_s is not None
    (request,) = reader.feed(b"{}")
    assert isinstance(request, Request)
    assert request.body == b"{}"
