"""What Flask receives of a request."""

from typing import Any

import pytest

from gateway.problems import Problem
from gateway.request_reader import Request
from gateway.wsgi import call, environ_of


def environ(target: bytes = b"/", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    request = Request("GET", target, "1.1", list(headers), b"{}", 7.0)
    return environ_of(request, ("192.0.2.1", 40_000), ("192.0.2.2", 8_000))


def test_the_request_line_and_both_addresses() -> None:
    received = environ(b"/a%20b%C3%A4?x=%20")
    assert (received["REQUEST_METHOD"], received["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.1")
    assert received["PATH_INFO"].encode("latin-1").decode() == "/a bä"
    assert received["QUERY_STRING"] == "x=%20"
    assert received["REMOTE_ADDR"] == "192.0.2.1"
    assert (received["SERVER_NAME"], received["SERVER_PORT"]) == ("192.0.2.2", "8000")
    assert received["wsgi.input"].read() == b"{}"


def test_headers_under_their_keys_of_cgi() -> None:
    received = environ(b"/", (b"Content-Type", b"a/b"), (b"content-length", b"2"), (b"Run-Key", b"\xe9"))
    assert (received["CONTENT_TYPE"], received["CONTENT_LENGTH"]) == ("a/b", "2")
    assert received["HTTP_RUN_KEY"] == "\xe9"


def test_a_header_that_is_there_twice_is_joined() -> None:
    assert environ(b"/", (b"X-A", b"1"), (b"x-a", b"2"))["HTTP_X_A"] == "1,2"


def test_a_name_with_an_underscore_is_not_mistaken_for_one_with_a_hyphen() -> None:
    received = environ(b"/", (b"X_Forwarded_For", b"192.0.2.9"))
    assert "HTTP_X_FORWARDED_FOR" not in received


def test_a_target_with_a_host_replaces_host() -> None:
    received = environ(b"http://there:80/messages?x", (b"Host", b"here"))
    assert (received["HTTP_HOST"], received["PATH_INFO"], received["QUERY_STRING"]) == (
        "there:80",
        "/messages",
        "x",
    )
    assert environ(b"http://there")["PATH_INFO"] == "/"
    with pytest.raises(Problem, match="not a valid URL"):
        environ(b"http://[::1/")


def test_any_other_target_is_a_path() -> None:
    assert environ(b"*")["PATH_INFO"] == "*"


def test_the_response_is_closed() -> None:
    closed: list[str] = []

    class Pieces(list[bytes]):
        def close(self) -> None:
            closed.append("closed")

    def application(environ: object, start_response: Any) -> Pieces:
        start_response("202 ACCEPTED", [("A", "b")])
        return Pieces([b"{", b"}"])

    assert call(application, {}) == (202, [("A", "b")], b"{}")
    assert closed == ["closed"]
