"""Accepts connections on an event loop, within limits, and ends them."""

import asyncio
import heapq
import logging
import socket
import time

from gateway.http_connection import Connection, Handler
from gateway.request_body import Held
from pipeline.certificate import ServerContext
from pipeline.renewed_files import RenewedFiles

CHECK_S = 0.5
"""How often overdue connections are searched for, and a listener that could not accept is tried again."""

HANDSHAKE_S = 5.0
"""Maximum time of a TLS handshake."""

MAX_REPLACED = 32
"""Idle connections that are closed at once where there are too many: each search looks at all of them."""

GOODBYE_S = 2.0
"""How long a client has to read what is left and to confirm the end of TLS. A stop waits for it."""

log = logging.getLogger(__name__)


class Server:
    """Serves on the running event loop.

    Args:
        handle: is given each request, and has its connection respond.
        listener: a listening socket that does not block; other processes may accept from it too.
        max_connections: a further one replaces what has been idle longest; where nothing is, it waits.
        tls: what new connections are encrypted with; None: nothing.
    """

    def __init__(
        self,
        handle: Handler,
        listener: socket.socket,
        max_connections: int,
        tls: RenewedFiles[ServerContext] | None = None,
    ) -> None:
        self.handle = handle
        self._listener = listener
        self._tls = tls
        self._max_connections = max_connections
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[object]] = set()
        self._accepting = False
        self._stopping = False
        self._all_closed = asyncio.Event()
        self.held = Held()

    def start(self) -> None:
        """Accept connections from now on."""
        self._check()

    async def stop(self, within_s: float) -> None:
        """Accept no more, answer the requests that have begun, and close every connection."""
        self._stopping = True
        self._accept(on=False)
        self._listener.close()
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            try:
                await asyncio.wait_for(self._all_closed.wait(), within_s)
            except TimeoutError:
                log.warning("%d connections were still open at the end", len(self._connections))

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._stopping:
            connection.stop()

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._stopping and not self._connections:
            self._all_closed.set()

    def _check(self) -> None:
        now_s = time.monotonic()
        for connection in list(self._connections):
            connection.expire(now_s)
        if not self._stopping:
            self._accept(on=True)
        self._loop.call_later(CHECK_S, self._check)

    def _accept(self, *, on: bool) -> None:
        if on and not self._accepting:
            self._loop.add_reader(self._listener, self._accept_one)
        elif self._accepting and not on:
            self._loop.remove_reader(self._listener)
        self._accepting = on

    def _accept_one(self) -> None:
        """One at a time, so that processes which share the listener share its connections."""
        if len(self._connections) + len(self._opening) >= self._max_connections and not self._make_room():
            self._accept(on=False)  # until the next check
            return
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process has it, or the client left
            return
        except OSError as error:
            log.warning("a connection could not be accepted: %s", error.strerror)
            self._accept(on=False)  # until the next check: descriptors, or memory, stay short
            return
        accepted.setblocking(False)
        opening = self._loop.create_task(self._open(accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def _make_room(self) -> bool:
        """End connections that have been without a request longest; False where each has one.

        Otherwise who holds them all, with a request now and then, would shut everybody else out.
        """
        idle = {one: until_s for one in self._connections if (until_s := one.idle_until_s) is not None}
        count = max(1, min(MAX_REPLACED, len(idle) // 8))  # as nginx does
        for connection in heapq.nsmallest(count, idle, key=idle.__getitem__):
            self._connections.discard(connection)
            connection.abort()
        return bool(idle)

    async def _open(self, accepted: socket.socket) -> None:
        if self._tls is None:
            await self._loop.connect_accepted_socket(self._connect, accepted)
            return
        context = self._tls.value.context
        try:
            await self._loop.connect_accepted_socket(
                self._connect,
                accepted,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=GOODBYE_S,
            )
        except OSError as error:  # ssl.SSLError too: not TLS, a certificate that the client refuses, too slow
            log.debug("a TLS handshake failed: %s", error)

    def _connect(self) -> Connection:
        return Connection(self)
