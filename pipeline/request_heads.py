"""Heads of HTTP requests, read from many connections by one thread that waits for no client."""

import re
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

LARGEST = 16_384
"""Bytes of a head; a larger one ends its connection."""

_END = re.compile(rb"\n\r?\n")


@dataclass(slots=True)
class Request:
    """A connection, and what its client has sent so far."""

    connection: socket.socket
    address: Any
    until_s: float
    """When its time for the head is up, monotonic."""
    head: bytearray = field(default_factory=bytearray)

    def receive(self) -> bool:
        """Whether its head is complete. Raises OSError where it will never be."""
        before = len(self.head)
        try:
            received = self.connection.recv(LARGEST)
        except BlockingIOError:
            return False
        self.head += received
        if _END.search(self.head, max(0, before - 2)):
            return True
        if not received or len(self.head) > LARGEST:
            raise ConnectionError("no complete head")
        return False


class RequestHeads:
    """The connections of a listener whose requests are not complete yet. One thread.

    Args:
        listener: is left open.
        lasts_s: how long a client has for its head in all, however slowly it sends.
    """

    def __init__(self, listener: socket.socket, lasts_s: float) -> None:
        self._listener = listener
        self._lasts_s = lasts_s
        self._begun: dict[socket.socket, Request] = {}  # the oldest first
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)

    def wait(self, timeout_s: float) -> list[Request]:
        """Accept and read until something happens; the requests that are complete now, no longer in here."""
        ready: list[Request | None] = [key.data for key, _ in self._selector.select(timeout_s)]
        complete = [request for request in ready if request and self._receive(request)]
        now_s = time.monotonic()
        while self._begun and self._oldest.until_s < now_s:  # after the reading: it may have been frozen
            self.end_oldest()
        if None in ready:
            self._accept()
        return complete

    def __len__(self) -> int:
        return len(self._begun)

    def end_oldest(self) -> None:
        """End the connection that has been without a complete request longest."""
        self._end(self._oldest)

    def close(self) -> None:
        """End all of them."""
        while self._begun:
            self.end_oldest()
        self._selector.close()

    @property
    def _oldest(self) -> Request:
        return next(iter(self._begun.values()))

    def _accept(self) -> None:
        with suppress(OSError):  # the client left, or too many files are open
            connection, address = self._listener.accept()
            connection.setblocking(False)
            request = Request(connection, address, time.monotonic() + self._lasts_s)
            self._begun[connection] = request
            self._selector.register(connection, selectors.EVENT_READ, request)

    def _receive(self, request: Request) -> bool:
        try:
            is_complete = request.receive()
        except OSError:
            self._end(request)
            return False
        if is_complete:
            self._remove(request)
        return is_complete

    def _end(self, request: Request) -> None:
        self._remove(request)
        request.connection.close()

    def _remove(self, request: Request) -> None:
        del self._begun[request.connection]
        self._selector.unregister(request.connection)
