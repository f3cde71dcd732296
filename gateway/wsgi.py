"""Runs a WSGI application (PEP 3333) for requests that were read completely."""

import io
import logging
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from gateway import metrics, problems
from gateway.greenlets import start
from gateway.http_connection import Connection, Headers, Response
from gateway.problems import Problem
from gateway.request_reader import Request

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

DEADLINE = "gateway.deadline_s"
"""Key of a request's deadline in its environ, by ``time.monotonic``."""

_COUNTED = "/messages"
"""The path whose responses are counted, whether its view is entered or not."""

_BARE = {"CONTENT_TYPE", "CONTENT_LENGTH"}
"""Headers that CGI names without the prefix HTTP_."""

_CONSTANT: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}

log = logging.getLogger(__name__)


class WsgiHandler:
    """Runs a WSGI application for each request, in a greenlet: see ``gateway.greenlets``.

    ``scheme``: by which clients come, ``http`` or ``https``.
    """

    def __init__(self, application: Application, scheme: str = "http") -> None:
        self._application = application
        self._scheme = scheme

    def __call__(self, request: Request | Problem, connection: Connection) -> None:
        """Have ``connection`` respond, now or later; a Problem never reaches the application."""
        if isinstance(request, Problem):
            _respond(connection, _error_response(request))
        else:
            start(self._run, request, connection)

    def _run(self, request: Request, connection: Connection) -> None:
        path = _COUNTED
        try:
            environ = environ_of(request, connection.client, connection.address, self._scheme)
            path = environ["PATH_INFO"]
            response = call(self._application, environ)
        except Problem as problem:
            response = _error_response(problem)
        except Exception:
            log.exception("the application failed")
            response = _error_response(Problem(500, "the gateway failed"))
        if request.method == "HEAD":
            response = (*response[:2], b"")
        _respond(connection, response, path)


def environ_of(
    request: Request, client: tuple[str, int], address: tuple[str, int], scheme: str = "http"
) -> Environ:
    """The environ of a request that ``client`` sent to ``address``: hosts and ports. Raises Problem."""
    target = request.target.decode("latin-1")
    path, _, query = target.partition("?")
    environ: Environ = {
        **_CONSTANT,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": address[0],
        "SERVER_PORT": str(address[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": client[0],
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(request.body),
        DEADLINE: request.deadline_s,
    }
    for name, value in request.headers:
        if b"_" in name:  # its key would be that of the name with hyphens, which a proxy may have checked
            continue
        key = _key(name)
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]},{text}"
        environ[key] = text
    if not path.startswith("/"):
        _use_absolute(environ, target)
    if "%" in environ["PATH_INFO"]:
        environ["PATH_INFO"] = unquote_to_bytes(environ["PATH_INFO"]).decode("latin-1")
    return environ


def call(application: Application, environ: Environ) -> Response:
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


@lru_cache(maxsize=1_000)
def _key(name: bytes) -> str:
    """A header's key in an environ."""
    key = name.decode("latin-1").replace("-", "_").upper()
    return key if key in _BARE else f"HTTP_{key}"


def _use_absolute(environ: Environ, target: str) -> None:
    """A target with a host, as it is sent to a proxy, replaces Host (RFC 9112, section 3.2.2)."""
    try:
        url = urlsplit(target)
    except ValueError:
        raise Problem(400, "the request's target is not a valid URL") from None
    if url.netloc:
        environ |= {"HTTP_HOST": url.netloc, "PATH_INFO": url.path or "/", "QUERY_STRING": url.query}


def _respond(connection: Connection, response: Response, path: str = _COUNTED) -> None:
    """Count the response, and send it. ``path``: the request's; without it, it could not be read."""
    if path == _COUNTED:
        metrics.REQUESTS.labels(response[0]).inc()
    connection.respond(response)


def _error_response(problem: Problem) -> Response:
    """The response where the application is not entered."""
    body = problems.encode(problem)
    headers = {"Content-Type": problems.MEDIA_TYPE, "Content-Length": str(len(body))} | problem.headers
    return problem.status.value, list(headers.items()), body
