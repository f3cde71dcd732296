"""Writes an event to the sockets of all streams that wait for it, without a switch to the greenlet of each.

A stream whose client has read everything has nothing else to send, so whoever has the event may write it.
Where the socket does not take all of it, the stream's own greenlet sends the rest, and waits for the client.
"""

import os
import socket

import gevent
from gevent.event import Event

from web.stream_event import Form, StreamEvent

IN_A_ROW = 500
"""After so many streams other greenlets run: a write takes some 10 µs."""


class DirectStream:
    """The socket of a stream in chunks (RFC 9112, section 7.1)."""

    def __init__(self, connection: socket.socket, form: Form) -> None:
        self._connection = connection
        self.fd = connection.fileno()
        self.form = form
        self.seen = 0
        """The count of the last event that was written to it, or begun."""
        self.last = 0
        """The count of the event that was sent last; 0 where that was something else."""
        self.broken = False
        """Whether the client has left."""
        self._rest = b""
        self.woken = Event()

    def write(self, event: StreamEvent) -> bool:
        """Write ``event`` as far as the socket takes it; whether that is all of it."""
        chunk = event.chunk(self.form, self.last)
        try:
            written = os.write(self.fd, chunk)
        except BlockingIOError:
            return False
        except OSError:
            self.broken = True
            return False
        self.seen = self.last = event.count
        self._rest = chunk[written:]
        return not self._rest

    def finish(self) -> None:
        """Send what is left of the last event; waits for the client. Raises OSError, TimeoutError."""
        rest, self._rest = self._rest, b""
        if rest:
            self._connection.sendall(rest)


class DirectStreams:
    """The streams that wait. For the greenlets of one thread."""

    def __init__(self) -> None:
        self._waiting: dict[DirectStream, None] = {}

    def wait(self, stream: DirectStream, seconds: float) -> None:
        """Return when ``stream`` needs its greenlet, after ``seconds`` at the latest."""
        stream.woken.clear()
        self._waiting[stream] = None
        try:
            stream.woken.wait(seconds)
        finally:
            self._waiting.pop(stream, None)

    def write(self, event: StreamEvent) -> int:
        """Write ``event`` to each, and wake those that could not take all of it. How many could."""
        complete = 0
        for index, stream in enumerate(list(self._waiting), 1):
            if stream in self._waiting and stream.seen < event.count:  # else its own greenlet was quicker
                if stream.write(event):
                    complete += 1
                else:
                    del self._waiting[stream]
                    stream.woken.set()
            if index % IN_A_ROW == 0:
                gevent.sleep(0)
        return complete

    def wake(self) -> None:
        """Wake all."""
        for stream in self._waiting:
            stream.woken.set()
