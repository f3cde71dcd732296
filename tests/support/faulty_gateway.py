"""A stand-in for the gateway that fails on command, over real sockets."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.clock import to_rfc3339
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch


@dataclass(frozen=True)
class Received:
    """One POST as it came in."""

    at_ns: int
    at_s: float
    """By a stopwatch: without the time in which a busy machine had no processor for it."""
    body: dict[str, Any]
    headers: dict[str, str]
    status: int
    """How it was answered."""

    @property
    def number(self) -> int:
        return int(self.body["number"])

    @property
    def sent_at(self) -> str:
        return str(self.body["sent_at"])


@dataclass(frozen=True)
class Answer:
    """How to answer."""

    status: int = 202
    headers: tuple[tuple[str, str], ...] = ()
    duplicates: int = 0
    body: bytes | None = None


OK = Answer()


class FaultyGateway:
    """Answers 202 unless configured otherwise; it remembers all that came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.answer = OK
        self.script: deque[Answer] = deque()
        """Answers that are given first, one per POST."""
        self.refused_numbers: dict[int, Answer] = {}
        self.received: list[Received] = []
        self._watch = Stopwatch()
        self._free = threading.Event()
        self._free.set()
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = _Server(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused."""
        self.thaw()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def listens(self) -> bool:
        """Whether it is between ``start`` and ``stop``."""
        return self._server is not None

    def freeze(self) -> None:
        """Take requests, and answer none of them until ``thaw``."""
        self._free.clear()

    def thaw(self) -> None:
        self._free.set()

    def accepted(self) -> list[Received]:
        """What was answered 202."""
        return [one for one in self.received if one.status == 202]

    def reply(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        """The answer to one POST, which is remembered."""
        at_ns, at_s = time.time_ns(), self._watch.seconds
        self._free.wait(30)
        try:
            answer = self.script.popleft()
        except IndexError:
            answer = self.refused_numbers.get(body["number"], self.answer)
        self.received.append(Received(at_ns, at_s, body, headers, answer.status))
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(_Handler):
            owner = gateway

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that closed its connection is expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: FaultyGateway

    def do_GET(self) -> None:
        self._send(200, b"{}", ())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.owner.reply(body, dict(self.headers))
        text = {"accepted": 1, "duplicates": answer.duplicates, "arrived_at": to_rfc3339(time.time_ns())}
        self._send(
            answer.status, json.dumps(text).encode() if answer.body is None else answer.body, answer.headers
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Quiet."""

    def _send(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        if not self.owner.listens:  # a kept-alive connection of a server that has stopped
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
