"""When the events of a stream come to who reads it without compression and without a proxy."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.clock import NS_PER_MS
from tests.support.waiting import until
from tests.support.web_service import WebService

LATE_MS = 600
"""An event that comes by another way later than this was held back; one that is held until the next comes a
second later."""


@contextmanager
def beside(web: WebService) -> Iterator[dict[int, int]]:
    """The arrival of each event by its id, Unix milliseconds, filled by a thread.

    The time in an id is that of the begin of a reading, which may wait for slow sources: it is no measure.
    """
    arrived: dict[int, int] = {}
    ended = threading.Event()

    def read() -> None:
        for event in web.events():
            arrived[int(event["id"])] = time.time_ns() // NS_PER_MS
            if ended.is_set():
                return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        until(lambda: arrived, what="the stream does not begin")
        yield arrived
    finally:
        ended.set()
        thread.join(30)


def late_ms(arrived: dict[int, int], plain: dict[int, int]) -> list[int]:
    """How much later each event came than by the plain stream; without the first, made before both began."""
    ids = list(arrived)[1:]
    until(lambda: plain.keys() >= set(ids), what="an event is missing in the plain stream")
    return [arrived[one] - plain[one] for one in ids]
