"""The body of one stream."""

from collections.abc import Iterator

from web import metrics
from web.live import Live
from web.sse import HEARTBEAT, PREAMBLE, frame


def stream(live: Live, last_id: int | None, *, detailed: bool) -> Iterator[bytes]:
    """Events until the client leaves or the service stops; ``detailed`` as the page wants them.

    A detailed stream begins with a ``history`` event, and before each ``stats`` event comes a ``detail``.
    """
    live.streams += 1
    try:
        with metrics.STREAMS.track_inprogress():
            yield from _events(live, last_id, detailed=detailed)
    finally:
        live.streams -= 1


def _events(live: Live, last_id: int | None, *, detailed: bool) -> Iterator[bytes]:
    yield PREAMBLE
    if detailed:
        yield frame("history", live.history())
    for published in live.hub.follow(last_id):
        if published is None:
            yield HEARTBEAT
            continue
        yield published.detailed if detailed else published.plain
        metrics.EVENTS.inc()
