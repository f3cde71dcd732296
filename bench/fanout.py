"""How late does an event reach each of many streams? ``python -m bench.fanout --streams 1000``.

Starts a web service of its own on a growing database, opens the streams from this process (so the
clients share the machine's cores), and measures from ``at`` in the data to the arrival of the event.
Also measures what the service costs.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from tests.support.web_service import WebService, started

REQUEST = b"GET /fizzbuzz/stream%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
WARM_UP = 2
"""Readings that are left out, while the streams are still being opened."""


class Client(asyncio.Protocol):
    """Records when each event arrived."""

    def __init__(self, arrivals: "EventArrivals", *, detailed: bool) -> None:
        self._arrivals = arrivals
        self._request = REQUEST % (b"?detail=1" if detailed else b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now_s = time.time()
        start = data.find(b"event: stats\nid: ")
        if start >= 0:
            event_id = data[start + 17 : data.find(b"\n", start + 17)]
            self._arrivals.times_s[int(event_id)].append(now_s)
            if event_id not in self._arrivals.at_s:
                self._arrivals.at_s[event_id] = _at_s(data)


class EventArrivals:
    """When each event arrived at each stream, by id, and when its reading began."""

    def __init__(self) -> None:
        self.times_s: dict[int, list[float]] = defaultdict(list)
        self.at_s: dict[bytes, float] = {}
        self.cpu_s = 0.0
        """CPU time that the service used for them."""

    def lateness_ms(self) -> list[list[float]]:
        """For each reading, its delay at each stream, in rising order."""
        return [
            sorted((came_s - self.at_s[b"%d" % event_id]) * 1_000 for came_s in came)
            for event_id, came in sorted(self.times_s.items())[WARM_UP:-1]
        ]


def _at_s(data: bytes) -> float:
    line = data[data.rfind(b"data: {") + 6 :].split(b"\n", 1)[0]
    return datetime.fromisoformat(json.loads(line)["at"]).timestamp()


async def follow(web: WebService, streams: int, seconds: float, *, detailed: bool) -> EventArrivals:
    """Hold ``streams`` open for ``seconds``."""
    arrivals = EventArrivals()
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(streams):
        transport, _ = await loop.create_connection(
            lambda: Client(arrivals, detailed=detailed), "127.0.0.1", web.port
        )
        transports.append(transport)
    arrivals.times_s.clear()
    before_s = cpu_s(web)
    await asyncio.sleep(seconds)
    arrivals.cpu_s = cpu_s(web) - before_s
    for transport in transports:
        transport.close()
    return arrivals


def report(arrivals: EventArrivals, streams: int, seconds: float) -> None:
    """Print the percentiles over all events, and the share of streams that got them."""
    readings = arrivals.lateness_ms()
    late = sorted(ms for reading in readings for ms in reading)
    share = sum(len(reading) for reading in readings) / (streams * len(readings))
    cut = statistics.quantiles(late, n=1_000, method="inclusive")
    print(f"{streams} streams, {len(readings)} readings, {share:.2%} of events arrived")
    p50, p95, p99 = cut[499], cut[949], cut[989]
    print(f"ms after the reading began: p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  max {late[-1]:.1f}")
    print(f"service: {arrivals.cpu_s / seconds:.1%} of one core for all of this")


def cpu_s(web: WebService) -> float:
    """CPU time that the service's worker process has used."""
    assert web.process
    (worker,) = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text().split()
    fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--detail", action="store_true", help="streams as the page opens them")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        tempfile.TemporaryDirectory() as directory,
        started(Path(directory), "redis://127.0.0.1:1") as site,
    ):
        following = follow(site.web, options.streams, options.seconds, detailed=options.detail)
        report(asyncio.run(following), options.streams, options.seconds)


if __name__ == "__main__":
    main()
