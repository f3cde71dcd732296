"""Sends each snapshot to every stream as server-sent events: encoded once, and no queue for any stream."""

import socket
from collections import deque
from collections.abc import Iterator

from gevent.event import Event

from web import metrics
from web.compression import HEADER, STORED, block
from web.detail import detail
from web.direct_streams import DirectStream, DirectStreams
from web.open_streams import OpenStreams
from web.snapshot import Snapshot, stats
from web.stream_event import Form, StreamEvent, encode, frame

KEPT_EVENTS = 60
"""Events that a client which reconnects can catch up on: a minute."""

CHART_POINTS = 300
"""Snapshots that the chart shows: 5 minutes."""

HEARTBEAT_S = 5.0
"""A stream without an event for this long gets a heartbeat."""

HEARTBEAT = b": heartbeat\n\n"
"""A comment that keeps a quiet connection open."""

PREAMBLE = b":" + b" " * 2_048 + b"\n\n"
"""A comment, long enough that a proxy which fills a buffer first lets the event behind it through."""

COMPRESSED_PREAMBLE = HEADER + block(PREAMBLE, level=STORED)
"""The same for a compressed stream; as long, for the same reason."""

COMPRESSED_HEARTBEAT = block(HEARTBEAT)


class Broadcaster:
    """Holds the last snapshots and wakes the streams. For the greenlets of one thread."""

    def __init__(self, first: Snapshot, open_streams: OpenStreams | None = None) -> None:
        self.open_streams = open_streams or OpenStreams()
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
        self._points.append(self.detail["point"])
        before = self._kept[-1] if self._kept else None
        self._count += 1
        event = StreamEvent(snapshot.id, self._count, self.stats, self.detail, before)
        self._kept.append(event)
        self._wake()
        metrics.EVENTS.inc(self._direct.write(event))

    def close(self) -> None:
        """End every stream, later ones too."""
        self._closed = True
        self._wake()
        self._direct.wake()

    def stream(
        self, last_id: int | None, form: Form, connection: socket.socket | None = None
    ) -> Iterator[bytes]:
        """The body of one stream, until the client leaves or the service stops.

        Events that follow the first ones are written to ``connection``, in chunks, where it is given.

        A detailed stream, for the page, begins with a ``history`` event, and a ``detail`` event precedes each
        ``stats`` event.
        """
        self.open_streams.opened()
        try:
            with metrics.STREAMS.track_inprogress():
                yield from self._beginning(form)
                direct = None if connection is None else DirectStream(connection, form)
                last = 0  # the count of the event that was sent last
                for event in self.follow(last_id, direct=direct):
                    last = direct.last if direct else last
                    if event is None:
                        yield COMPRESSED_HEARTBEAT if form.compressed else HEARTBEAT
                        last = 0
                    else:
                        yield event.body(form, last)
                        last = event.count
                        metrics.EVENTS.inc()
                    if direct:
                        direct.last = last
        finally:
            self.open_streams.closed()

    def _beginning(self, form: Form) -> Iterator[bytes]:
        yield COMPRESSED_PREAMBLE if form.compressed else PREAMBLE
        if form.detailed:
            history = frame("history", encode({"points": list(self._points)}))
            yield block(history) if form.compressed else history

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
