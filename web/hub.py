"""Fan-out: one publisher, any number of streams, no queue for any of them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from gevent.event import Event

from web import metrics

HELD = 60
"""Readings that a client which comes back can catch up on: a minute."""

HEARTBEAT_S = 5.0
"""After so long without a reading a stream says that it is still there."""


@dataclass(frozen=True, slots=True)
class Published:
    """A reading as it goes out, made once for all streams."""

    id: int
    plain: bytes
    """Its ``stats`` event."""
    detailed: bytes
    """Its ``detail`` event, then its ``stats`` event."""


class Hub:
    """Holds the last readings and wakes the streams. For the greenlets of one thread."""

    def __init__(self) -> None:
        self._held: deque[Published] = deque(maxlen=HELD)
        self._count = 0
        self._news = Event()
        self._closed = False

    def publish(self, published: Published) -> None:
        """Hand ``published`` to every stream. Costs the same however slow a stream is."""
        self._held.append(published)
        self._count += 1
        self._wake()

    def close(self) -> None:
        """End every stream, the ones that come later too."""
        self._closed = True
        self._wake()

    def follow(self, last_id: int | None, heartbeat_s: float = HEARTBEAT_S) -> Iterator[Published | None]:
        """What was published after ``last_id``, then the newest each time there is one, without end.

        A stream that takes its time misses what came meanwhile: next it gets the newest. None stands
        for ``heartbeat_s`` without news.
        """
        seen = self._count
        yield from self._missed(last_id)
        while not self._closed:
            if self._count > seen:
                if self._count > seen + 1:
                    metrics.SKIPPED.inc(self._count - seen - 1)
                seen = self._count
                yield self._held[-1]
            elif not self._news.wait(heartbeat_s):
                yield None

    def _missed(self, last_id: int | None) -> list[Published]:
        """The readings after ``last_id``; the newest alone for one who brings no id that we know of."""
        newest = list(self._held)[-1:]
        if last_id is None or not newest or last_id > newest[0].id:
            return newest
        return [published for published in self._held if published.id > last_id]

    def _wake(self) -> None:
        news, self._news = self._news, Event()
        news.set()
