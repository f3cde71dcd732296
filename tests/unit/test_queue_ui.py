"""The guard before rq-dashboard, which has none of its own."""

from collections.abc import Iterable
from typing import Any

import pytest

from deploy.queue_ui import guard


def ask(method: str = "GET", host: str | None = "127.0.0.1:9181", **headers: str) -> str:
    """The status of an answer; the guarded application itself says 200."""
    said: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    environ = {"REQUEST_METHOD": method, **{f"HTTP_{name}": value for name, value in headers.items()}}
    if host is not None:
        environ["HTTP_HOST"] = host
    b"".join(guard(application)(environ, lambda status, headers: said.append(status)))
    return said[0][:3]


@pytest.mark.parametrize("host", ["127.0.0.1:9181", "localhost", "LOCALHOST:1", "[::1]:9181", "127.0.0.9"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert ask(host=host) == "200"


@pytest.mark.parametrize(
    "host", [None, "", "evil.example:9181", "localhost.evil.example", "192.0.2.1", "[::2]"]
)
def test_any_other_name_is_refused(host: str | None) -> None:
    assert ask(host=host) == "421"


@pytest.mark.parametrize(
    "headers",
    [
        {"ORIGIN": "https://evil.example"},
        {"ORIGIN": "null"},
        {"ORIGIN": "http://localhost:5000"},
        {"SEC_FETCH_SITE": "cross-site"},
        {"SEC_FETCH_SITE": "same-site"},
    ],
)
def test_what_another_sites_page_sends_is_refused(headers: dict[str, str]) -> None:
    assert ask("POST", **headers) == "403"


def test_its_own_page_may_send_and_so_may_a_program() -> None:
    own = {"ORIGIN": "http://127.0.0.1:9181", "SEC_FETCH_SITE": "same-origin"}
    assert ask("POST", **own) == "200"
    assert ask("POST") == "200"
