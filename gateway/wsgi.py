"""WSGI (PEP 3333) for a request that was read completely."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
WsgiResponse = tuple[int, Headers, bytes]

_BARE = {"CONTENT_TYPE", "CONTENT_LENGTH"}
"""Headers that CGI names without the prefix HTTP_."""


_NOT_ASCII = "\xff"
"""Placeholder for a value that RSGI omits, so that no check treats the header as absent."""


class RequestHeaders(Protocol):
    """What is used of RSGI's headers."""

    def __contains__(self, key: str) -> bool:
        """Whether the header is there."""

    def __iter__(self) -> Iterator[str]:
        """Names."""

    def items(self) -> Headers:
        """Names, in lower case, and values; a name may occur more than once. Headers whose
        value is not ASCII are omitted."""

    def get(self, key: str, default: Any = None) -> Any:
        """A value."""


class Scope(Protocol):
    """What is used of RSGI's scope."""

    method: str
    path: str
    query_string: str
    scheme: str
    http_version: str
    server: str
    client: str
    headers: RequestHeaders


def environ_of(scope: Scope, body: bytes) -> Environ:
    """The environ of a request."""
    host, _, port = scope.server.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = _key(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    for name in scope.headers:
        environ.setdefault(_key(name), _NOT_ASCII)
    return environ


def _key(name: str) -> str:
    key = name.replace("-", "_").upper()
    return key if key in _BARE else f"HTTP_{key}"


def call(application: Application, environ: Environ) -> WsgiResponse:
    """Status, headers and body of the application's response."""
    started: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> None:
        started.append((int(status[:3]), headers))

    pieces = application(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close:
            close()
    status, headers = started[-1]
    return status, headers, body
