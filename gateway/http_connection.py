"""One client's connection: requests are forwarded once complete, and answered one after another.

A slow client costs a connection and memory, never a thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol, cast

from gateway.problems import Problem
from gateway.request_body import Held
from gateway.request_reader import Reading, Request, RequestReader

IDLE_TIMEOUT_S = 15.0
"""Maximum time without a request."""

LINGER_S = 2.0
"""How long a client may continue to send after an error. Closing the connection while bytes arrive resets it,
and the reset could destroy the response before it is read (RFC 9112, section 9.6)."""

Headers = list[tuple[str, str]]
Response = tuple[int, Headers, bytes]
"""Status, headers with Content-Length, body."""
Handler = Callable[[Request | Problem, "Connection"], None]

_EVERY_RESPONSE = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
"""Keeps browsers from guessing the type of a response, and from caching it."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Server(Protocol):
    """What a connection needs of the server that it belongs to."""

    held: Held

    def opened(self, connection: "Connection") -> None:
        """The connection has begun."""

    def closed(self, connection: "Connection") -> None:
        """The connection has ended."""

    @property
    def handle(self) -> "Handler":
        """Is given each request, or why it could not be read, and calls ``respond`` once, now or later."""


class Connection(asyncio.Protocol):
    """A connection of ``server``; for its event loop's thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reader = RequestReader(server.held)
        self._waiting: deque[Request | Problem] = deque()
        self._current: Request | Problem | None = None
        self._idle_until_s = time.monotonic() + IDLE_TIMEOUT_S
        self._paused = False
        self._writable = True
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.client = _address(transport, "peername")
        self.address = _address(transport, "sockname")
        self._server.opened(self)

    @property
    def idle_until_s(self) -> float | None:
        """How long it may wait for its next request; None where it has one."""
        has_none = self._current is None and not self._waiting and self._reader.state is Reading.NOTHING
        return self._idle_until_s if has_none else None

    def abort(self) -> None:
        """End it now."""
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._reader.end()
        self._waiting.clear()
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        self._add(self._reader.feed(data))
        if self._waiting and not self._paused:
            self._transport.pause_reading()
            self._paused = True

    def eof_received(self) -> bool:
        """The client sends no more, and may wait for responses, but not over TLS, which ends both ways."""
        self._add(self._reader.cut_off())
        return self._transport.can_write_eof() and (self._current is not None or bool(self._waiting))

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._handle_next()

    def respond(self, response: Response) -> None:
        """Send the response to the request that was forwarded."""
        request, self._current = self._current, None
        if self._transport.is_closing():
            return
        may_follow = self._reader.state is not Reading.ENDED and not self._stopping
        keep_alive = may_follow or bool(self._waiting)
        self._transport.write(_encode(response, keep_alive=keep_alive))
        if not keep_alive:
            self._close(linger=isinstance(request, Problem))
            return
        self._idle_until_s = time.monotonic() + IDLE_TIMEOUT_S
        if self._waiting:  # not from here: this may be a response within the handling of the one before
            asyncio.get_running_loop().call_soon(self._handle_next)
        else:
            self._continue_reading()

    def expire(self, now_s: float) -> None:
        """End what is overdue."""
        if self._current is not None:  # it has a deadline of its own
            return
        if self._reader.due_s is None:
            if now_s >= self._idle_until_s:
                self._transport.abort()
        elif now_s >= self._reader.due_s:
            self._add(self._reader.expire())

    def stop(self) -> None:
        """Answer what was begun, and close."""
        self._stopping = True
        if self._current is None and not self._waiting and self._reader.state is not Reading.BODY:
            self._close(linger=False)

    def _add(self, requests: list[Request | Problem]) -> None:
        self._waiting.extend(requests)
        self._handle_next()

    def _handle_next(self) -> None:
        if self._current is None and self._waiting and self._writable:
            self._current = self._waiting.popleft()
            self._server.handle(self._current, self)
        elif self._reader.expects_continue:
            self._continue_reading()

    def _continue_reading(self) -> None:
        if self._paused:
            self._transport.resume_reading()
            self._paused = False
        if self._reader.expects_continue and self._current is None:
            self._reader.expects_continue = False
            self._transport.write(_CONTINUE)

    def _close(self, *, linger: bool) -> None:
        self._reader.end()
        if linger and self._transport.can_write_eof():  # over TLS a close lingers by itself
            self._transport.write_eof()
            self._idle_until_s = time.monotonic() + LINGER_S
            self._continue_reading()
        else:
            self._transport.close()


def _address(transport: asyncio.BaseTransport, end: str) -> tuple[str, int]:
    """Host and port of an end; empty if the client reset the connection before it was accepted."""
    address: tuple[str, int] = (transport.get_extra_info(end) or ("", 0))[:2]
    return address


def _encode(response: Response, *, keep_alive: bool) -> bytes:
    """Its bytes (RFC 9112, section 4)."""
    status, headers, body = response
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    connection = "keep-alive" if keep_alive else "close"  # an HTTP/1.0 client needs the first
    date = _date(int(time.time()))
    head = f"{_STATUS_LINES[status]}{fields}{_EVERY_RESPONSE}Date: {date}\r\nConnection: {connection}\r\n\r\n"
    return head.encode("latin-1") + body


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)
