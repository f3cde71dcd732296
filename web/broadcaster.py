"""Sends each snapshot to every stream as server-sent events: encoded once, and no queue for any stream."""

import json
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from gevent.event import Event

from web import metrics
from web.detail import detail
from web.direct_streams import DirectStream, DirectStreams, chunk
from web.snapshot import Snapshot, stats

KEPT_EVENTS = 60
"""Events that a client which reconnects can catch up on: a minute."""

CHART_POINTS = 300
"""Snapshots that the chart shows: 5 minutes."""

HEARTBEAT_S = 5.0
"""A stream without an event for this long gets a heartbeat."""

HEARTBEAT = b": heartbeat\n\n"
"""A comment that keeps a quiet connection open."""

RETRY_MS = 1_000
"""A client whose stream broke reconnects after this."""

PREAMBLE = b":" + b" " * 2_048 + b"\n\n"
"""A comment, long enough that a proxy which fills a buffer first lets the event behind it through."""


_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A snapshot as it is sent, encoded once for all streams."""

    id: int
    plain: bytes
    """Its ``stats`` event."""
    detailed: bytes
    """Its ``detail`` event, then its ``stats`` event."""

    def body(self, *, detailed: bool) -> bytes:
        """What a stream is sent of it."""
        return self.detailed if detailed else self.plain


class Broadcaster:
    """Holds the last snapshots and wakes the streams. For the greenlets of one thread."""

    def __init__(self, first: Snapshot) -> None:
        self.streams = 0
        """Streams that are open."""
        self._points: deque[tuple[int, float | None, float | None, str, str]] = deque(maxlen=CHART_POINTS)
        self._kept: deque[StreamEvent] = deque(maxlen=KEPT_EVENTS)
        self._count = 0
        self._wakeup = Event()
        self._direct = DirectStreams()
        self._closed = False
        self.publish(first)

    def publish(self, snapshot: Snapshot) -> None:
        """Make ``snapshot`` the newest and wake every stream. Costs the same however slow a stream is."""
        self.newest = snapshot
        self.stats = stats(snapshot)
        self.detail = detail(snapshot, self.stats)
        plain = frame("stats", encode(self.stats), event_id=snapshot.id)
        self._points.append(self.detail["point"])
        event = StreamEvent(snapshot.id, plain, frame("detail", encode(self.detail)) + plain)
        self._kept.append(event)
        self._count += 1
        self._wake()
        chunks = {detailed: chunk(event.body(detailed=detailed)) for detailed in (False, True)}
        metrics.EVENTS.inc(self._direct.write(chunks, self._count))

    def close(self) -> None:
        """End every stream, later ones too."""
        self._closed = True
        self._wake()
        self._direct.wake()

    def stream(
        self, last_id: int | None, *, detailed: bool, connection: socket.socket | None = None
    ) -> Iterator[bytes]:
        """The body of one stream, until the client leaves or the service stops.

        Events that follow the first ones are written to ``connection``, in chunks, where it is given.

        A detailed stream, for the page, begins with a ``history`` event, and a ``detail`` event precedes each
        ``stats`` event.
        """
        self.streams += 1
        try:
            with metrics.STREAMS.track_inprogress():
                yield PREAMBLE
                if detailed:
                    yield frame("history", encode({"points": list(self._points)}))
                direct = None if connection is None else DirectStream(connection, detailed=detailed)
                for event in self.follow(last_id, direct=direct):
                    if event is None:
                        yield HEARTBEAT
                    else:
                        yield event.body(detailed=detailed)
                        metrics.EVENTS.inc()
        finally:
            self.streams -= 1

    def follow(
        self, last_id: int | None, heartbeat_s: float = HEARTBEAT_S, direct: DirectStream | None = None
    ) -> Iterator[StreamEvent | None]:
        """The events after ``last_id``, then each new one, without end.

        A slow stream skips events: next it gets the newest. None stands for ``heartbeat_s`` without an event.
        What was written to ``direct`` is left out.
        """
        seen = self._count
        yield from self._missed(last_id)
        while not self._closed:
            if self._count > seen:
                if self._count > seen + 1:
                    metrics.SKIPPED.inc(self._count - seen - 1)
                seen = self._count
                yield self._kept[-1]
            elif direct is None:
                if not self._wakeup.wait(heartbeat_s):
                    yield None
            else:
                direct.seen = seen
                self._direct.wait(direct, heartbeat_s)
                if direct.broken:
                    return
                direct.finish()
                if direct.seen == seen == self._count and not self._closed:
                    yield None
                seen = direct.seen

    def _missed(self, last_id: int | None) -> list[StreamEvent]:
        """The events after ``last_id``; the newest alone where that is None or unknown."""
        newest = self._kept[-1]
        if last_id is None or last_id > newest.id:
            return [newest]
        return [event for event in self._kept if event.id > last_id]

    def _wake(self) -> None:
        wakeup, self._wakeup = self._wakeup, Event()
        wakeup.set()


def frame(event: str, data: bytes, *, event_id: int | None = None) -> bytes:
    """One event as the HTML standard frames it. Only one with an id changes the client's Last-Event-ID.

    Raises:
        ValueError: ``data`` has a line break, by which it could forge another event.
    """
    if b"\n" in data or b"\r" in data:
        raise ValueError("data must be one line")
    head = f"event: {event}\n"
    if event_id is not None:
        head += f"id: {event_id}\nretry: {RETRY_MS}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def encode(value: dict[str, Any]) -> bytes:
    """Compact JSON on one line."""
    try:
        return _json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate in some text, which only an escape can express
        return json.dumps(value, separators=(",", ":")).encode()
