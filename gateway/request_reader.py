"""Reads the requests of one connection (HTTP/1.1, RFC 9112), within limits of time and size.

httptools parses, strictly: what two parsers could read in two ways is an error.
"""

import time
from dataclasses import dataclass
from enum import Enum, auto

import httptools

from gateway.problems import Problem
from gateway.request_body import MAX_SKIPPED, Body, Held, too_large

REQUEST_TIMEOUT_S = 5.0
"""A request gets a response within this time after its head, whatever happens behind the gateway."""

HEAD_TIMEOUT_S = 15.0
"""Maximum time from first byte to end of a head."""

BODY_TIMEOUT_S = 4.0
"""Maximum time from head to end of body; the rest of the request's time is for the consumer."""

MAX_HEAD = 64 * 1024
"""Maximum size of a head, bytes; and of what surrounds a body's chunks, beyond five bytes for each of it."""

MAX_FIELDS = 100
"""Maximum number of header fields."""

_VERSIONS = {"1.0", "1.1"}


@dataclass(slots=True)
class Request:
    """A request that was read completely."""

    method: str
    target: bytes
    version: str
    """``1.1`` or ``1.0``."""
    headers: list[tuple[bytes, bytes]]
    """Names as they were sent; a name may occur more than once."""
    body: bytes
    deadline_s: float
    """When it must be answered, by ``time.monotonic``."""


class Reading(Enum):
    """What comes next on a connection."""

    NOTHING = auto()
    """The next request may begin."""
    HEAD = auto()
    BODY = auto()
    ENDED = auto()
    """No further request: what comes is dropped."""


class RequestReader:
    """Turns a connection's bytes into requests. Where that fails, a Problem ends the reading.

    Args:
        held: counts the bytes of larger bodies; ``end`` must be called.
    """

    def __init__(self, held: Held) -> None:
        self._held = held
        self._parser = httptools.HttpRequestParser(self)
        self._read: list[Request | Problem] = []
        self.state = Reading.NOTHING
        self.due_s: float | None = None
        """When the current head or body must be complete, by ``time.monotonic``; None: there is none."""
        self.expects_continue = False
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        self._later_size: int | None = None
        """Bytes of the reads after that with the begin of the current head or body; None before these."""
        self._begin()

    def feed(self, data: bytes) -> list[Request | Problem]:
        """The requests that ``data`` completes; a Problem is the last one."""
        if self.state is Reading.ENDED:
            return []
        self._read = []
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._fail(Problem(400, "this is not a valid HTTP/1.1 request"))
        # The read with the begin has what was before it too; a head's fields are also counted one by one.
        self._later_size = 0 if self._later_size is None else self._later_size + len(data)
        if self.state is Reading.HEAD:
            self._check_head(self._later_size)
        elif self.state is Reading.BODY and self._later_size > MAX_HEAD + 6 * self._body.size:
            # trailers, extensions of chunks
            self._fail(Problem(431, f"what surrounds the body's chunks is over {MAX_HEAD >> 10} KiB"))
        return self._read

    def cut_off(self) -> list[Request | Problem]:
        """No more bytes will come: the Problem of an unfinished request, if there is one."""
        self._read = []
        if self.state in {Reading.HEAD, Reading.BODY}:
            self._fail(Problem(400, "the request was cut off"))
        self.end()
        return self._read

    def expire(self) -> list[Request | Problem]:
        """The current request is overdue."""
        self._read = []
        part, seconds = ("body", BODY_TIMEOUT_S) if self.state is Reading.BODY else ("head", HEAD_TIMEOUT_S)
        self._fail(Problem(408, f"the {part} did not arrive within {seconds:g} s"))
        return self._read

    def end(self) -> None:
        """Read no further."""
        self.state = Reading.ENDED
        self.due_s = None
        self.expects_continue = False
        self._body.release()

    def _parse(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._ignore_upgrade()
                data = memoryview(data)[upgrade.args[0] :]
            else:
                return

    def _ignore_upgrade(self) -> None:
        """Begin the last request again, without its Upgrade: a server may ignore it (RFC 9110, section 7.8).

        The parser ends such a request after its head: it takes what follows for another protocol.
        """
        request = self._read[-1]
        if isinstance(request, Problem) or request.method == "CONNECT":  # what follows is a tunnel's, no body
            self.end()
            return
        self._read.pop()
        self.state = Reading.NOTHING  # it may have been the connection's last
        self._parser = httptools.HttpRequestParser(self)
        line = b"%s %s HTTP/%s\r\n" % (request.method.encode(), request.target, request.version.encode())
        fields = [b"%s: %s\r\n" % field for field in request.headers if field[0].lower() != b"upgrade"]
        self._parser.feed_data(b"%s%s\r\n" % (line, b"".join(fields)))

    def _check_head(self, size: int) -> None:
        if size > MAX_HEAD:
            self._fail(Problem(431, f"the head is over {MAX_HEAD >> 10} KiB"))

    def _fail(self, problem: Problem) -> None:
        """Read no further, because of ``problem``."""
        if self.state is not Reading.ENDED:
            self.end()
            self._read.append(problem)

    def _begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._later_size = None
        self._fields_size = 0
        self._body = Body(self._held)

    # httptools calls these; an exception in one would only become a parser's error.

    def on_message_begin(self) -> None:
        if self.state is Reading.ENDED:
            return
        self._begin()
        self.state = Reading.HEAD
        self.due_s = time.monotonic() + HEAD_TIMEOUT_S

    def on_url(self, piece: bytes) -> None:
        self._target += piece
        self._check_head(len(self._target))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.state is not Reading.HEAD:  # a trailer comes later, and is no part of the head
            return
        self._headers.append((name, value))
        self._fields_size += len(name) + len(value)
        self._check_head(self._fields_size)
        if len(self._headers) > MAX_FIELDS:
            self._fail(Problem(431, f"the head has more than {MAX_FIELDS} fields"))

    def on_headers_complete(self) -> None:
        if self.state is Reading.ENDED:
            return
        now_s = time.monotonic()
        self.state = Reading.BODY
        self._later_size = None
        self.due_s = now_s + BODY_TIMEOUT_S
        self._deadline_s = now_s + REQUEST_TIMEOUT_S
        self._keep_alive = self._parser.should_keep_alive()
        self._version = self._parser.get_http_version()
        if self._version not in _VERSIONS:
            self._fail(Problem(505, "only HTTP/1.1 is supported"))
        has_length = False
        for name, value in self._headers:
            lower = name.lower()
            if lower == b"content-length":
                has_length = True
                if int(value) > MAX_SKIPPED:
                    self._fail(too_large())
            elif lower == b"expect":
                self.expects_continue = value.lower() == b"100-continue" and self._version == "1.1"
        if not has_length:  # the parser refuses both
            self._check_codings()

    def _check_codings(self) -> None:
        """As RFC 9112, section 6.1, asks for. Where chunked is not the last one, the parser fails."""
        codings = b",".join(value for name, value in self._headers if name.lower() == b"transfer-encoding")
        if codings and self._version == "1.0":
            self._fail(Problem(400, "HTTP/1.0 has no Transfer-Encoding"))
        elif codings.lower() != b"chunked" and codings.lower().endswith(b"chunked"):
            self._fail(Problem(501, "the only transfer coding that is supported is chunked"))

    def on_body(self, piece: bytes) -> None:
        if self.state is Reading.ENDED:
            return
        self.expects_continue = False
        try:
            self._body.add(piece)
        except Problem as problem:
            self._fail(problem)

    def on_message_complete(self) -> None:
        if self.state is Reading.ENDED:
            return
        self.expects_continue = False
        try:
            body = self._body.detach()
        except Problem as problem:
            self._fail(problem)
            return
        method = self._parser.get_method().decode()
        self._read.append(Request(method, self._target, self._version, self._headers, body, self._deadline_s))
        self.state = Reading.NOTHING
        self.due_s = None
        if not self._keep_alive:
            self.end()
