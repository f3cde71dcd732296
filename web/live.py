"""What is live: the newest reading, the hub that sends it out, and the minutes before it for the chart."""

import json
from collections import deque
from typing import Any

from pipeline.clock import NS_PER_MS
from web.detail import detail
from web.hub import Hub, Published
from web.reading import Reading
from web.sse import frame
from web.stats import stats

CHART_READINGS = 300
"""Readings that the chart shows: 5 minutes."""


class Live:
    """Takes each new reading in and has it ready for the page, the streams and ``/fizzbuzz/stats``."""

    def __init__(self, first: Reading) -> None:
        self.hub = Hub()
        self.streams = 0
        """Streams that are open."""
        self._history: deque[tuple[int, float | None, float | None]] = deque(maxlen=CHART_READINGS)
        self.publish(first)

    def publish(self, reading: Reading) -> None:
        """Make ``reading`` the newest and send it to every stream."""
        self.newest = reading
        self.stats = stats(reading)
        self.detail = detail(reading)
        point = (reading.at_ns // NS_PER_MS, self.stats["average_transmission_ms"], self.stats["p99_ms"])
        self._history.append(point)
        plain = frame("stats", encode(self.stats), event_id=reading.id)
        detailed = frame("detail", encode(self.detail)) + plain
        self.hub.publish(Published(reading.id, plain, detailed))

    def history(self) -> bytes:
        """Time in Unix ms, average and 99th percentile in ms of the readings held, oldest first."""
        return encode({"points": list(self._history)})


def encode(value: dict[str, Any]) -> bytes:
    """Compact JSON on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
