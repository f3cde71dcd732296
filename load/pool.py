"""Assigns requests to connections: to a free one, else to a new one, else they wait in order."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from load.connection import Answer, Connection


class Request(Protocol):
    """What a pool sends."""

    def start(self) -> bytes:
        """It is sent now; its bytes."""

    def answered(self, answer: Answer) -> None:
        """It was answered."""

    def failed(self, reason: str) -> None:
        """No answer came, or none will."""


class Pool:
    """At most ``most`` connections to the server at ``url``, opened as they are needed.

    ``ca``: the file of the certificates that verify it by https; empty: those of this machine.
    """

    def __init__(self, url: str, most: int, timeout_s: float, ca: str = "") -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context(cafile=ca or None) if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._most, self._timeout_s = most, timeout_s
        self._loop = asyncio.get_running_loop()
        self._free: deque[Connection] = deque()
        self._busy: dict[Connection, tuple[Request, float]] = {}
        self._waiting: deque[Request] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._open: set[Connection] = set()

    async def connect(self) -> None:
        """Open connections ahead, so that their handshakes do not count; failures show later."""
        for _ in range(self._most):
            self._start_opening()
        await asyncio.gather(*self._opening)

    def submit(self, request: Request) -> None:
        """Send ``request`` as soon as a connection is free."""
        while self._free:
            connection = self._free.popleft()
            if connection.is_open:
                self._carry(connection, request)
                return
        self._waiting.append(request)
        self._open_if_needed()

    def expire_overdue(self) -> None:
        """End attempts that are out of time; call it often."""
        now_s = self._loop.time()
        late = [one for one, (_, until_s) in self._busy.items() if until_s <= now_s]
        for connection in late:
            connection.end("timeout")

    def close(self, unanswered: Callable[[Request], None]) -> None:
        """Close all; ``unanswered`` is called with each request that was not answered."""
        left = [request for request, _ in self._busy.values()] + list(self._waiting)
        connections = list(self._open)
        self._busy.clear()
        self._free.clear()
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        for connection in connections:
            connection.end("closed")
        for request in left:
            unanswered(request)

    def _carry(self, connection: Connection, request: Request) -> None:
        self._busy[connection] = (request, self._loop.time() + self._timeout_s)
        connection.send(request.start())

    def _open_if_needed(self) -> None:
        if len(self._waiting) > len(self._opening) and len(self._open) + len(self._opening) < self._most:
            self._start_opening()

    def _start_opening(self) -> None:
        task = self._loop.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._open_if_needed()

    async def _connect(self) -> None:
        connection = Connection(self._answered, self._lost)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._loop.create_connection(lambda: connection, self._host, self._port, ssl=self._tls)
        except TimeoutError:
            self._fail_first("connect timeout")
        except OSError as error:
            self._fail_first(type(error).__name__)
        else:
            if connection.is_open:
                self._open.add(connection)
                self._release(connection)
            else:
                self._fail_first("connection closed")

    def _fail_first(self, reason: str) -> None:
        """An attempt to connect was made for the request that waits longest."""
        if self._waiting:
            self._waiting.popleft().failed(reason)

    def _answered(self, connection: Connection, answer: Answer) -> None:
        carried = self._busy.pop(connection, None)
        if carried is None:  # nobody asked for it
            connection.end("answer without a request")
            return
        if connection.is_open:
            self._release(connection)
        carried[0].answered(answer)

    def _release(self, connection: Connection) -> None:
        if self._waiting:
            self._carry(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _lost(self, connection: Connection, reason: str) -> None:
        if connection not in self._open:
            return
        self._open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        carried = self._busy.pop(connection, None)
        if carried:
            carried[0].failed(reason)
        self._open_if_needed()
