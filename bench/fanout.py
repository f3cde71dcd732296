"""How late does an event reach each of many streams? ``python -m bench.fanout --streams 1000``.

Starts a web service of its own on a growing database, opens the streams from a client process for each of its
processes (so the clients share the machine's cores), and measures from ``at`` in the data to the arrival of
the event. Also measures what the service costs.
"""

import argparse
import asyncio
import math
import resource
import ssl
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import msgspec
import psutil  # type: ignore[import-untyped]
import uvloop

from pipeline.file_limit import raise_file_limit
from tests.support.web_service import WebService, started
from web.open_streams import MAX_STREAMS

REQUEST = b"GET /fizzbuzz/stream%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
WARM_UP = 2
"""Readings that are left out, while the streams are still being opened."""
BURST = 200
"""Connections that one client process opens at once."""
OPENING_S, TLS_OPENING_S = 0.002, 0.01
"""How long opening a stream takes, at most: all processes measure from the same moment on."""
SPARE_FILES = 200
"""Descriptors that a process needs for something else than streams."""


class Client(asyncio.Protocol):
    """Records when each event arrived."""

    def __init__(self, arrivals: "EventArrivals", *, detailed: bool) -> None:
        self._arrivals = arrivals
        self._request = REQUEST % (b"?detail=1" if detailed else b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)  # uvloop's is none

    def data_received(self, data: bytes) -> None:
        now_s = time.time()
        start = data.find(b"event: stats\nid: ")
        if start >= 0:
            event_id = data[start + 17 : data.find(b"\n", start + 17)]
            self._arrivals.times_s[event_id].append(now_s)
            if event_id not in self._arrivals.at_s:
                self._arrivals.at_s[event_id] = _at_s(data)


class EventArrivals:
    """When each event arrived at each stream, by id, and when its reading began."""

    def __init__(self) -> None:
        self.times_s: dict[bytes, list[float]] = defaultdict(list)
        self.at_s: dict[bytes, float] = {}

    def lateness_ms(self) -> dict[int, list[float]]:
        """For each second's reading, its delay at each stream. Each process of the service has other ids."""
        found: dict[int, list[float]] = defaultdict(list)
        for event_id, came in self.times_s.items():
            at_s = self.at_s[event_id]
            found[int(at_s)] += [(came_s - at_s) * 1_000 for came_s in came]
        return found


def _at_s(data: bytes) -> float:
    line = data[data.rfind(b"data: {") + 6 :].split(b"\n", 1)[0]
    return datetime.fromisoformat(msgspec.json.decode(line)["at"]).timestamp()


@dataclass(frozen=True, slots=True)
class Share:
    """The streams of one client process."""

    port: int
    address: str
    """Where its connections come from: an address has 28,000 ports."""
    streams: int
    begin_s: float
    """When all streams are open and measuring begins, Unix time."""
    seconds: float
    detailed: bool
    ca: Path | None
    """What verifies the service; None: no TLS."""


def hold(share: Share) -> dict[int, list[float]]:
    """Hold streams open; the delays of ``EventArrivals``. In a process of its own."""
    allow_files(share.streams + SPARE_FILES)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_hold(share))


async def _hold(share: Share) -> dict[int, list[float]]:
    arrivals = EventArrivals()
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context(cafile=share.ca) if share.ca else None

    async def connect() -> asyncio.BaseTransport:
        transport, _ = await loop.create_connection(
            lambda: Client(arrivals, detailed=share.detailed),
            "127.0.0.1",
            share.port,
            local_addr=(share.address, 0),
            ssl=tls,
        )
        return transport

    transports: list[asyncio.BaseTransport] = []
    while len(transports) < share.streams:
        count = min(BURST, share.streams - len(transports))
        transports += await asyncio.gather(*(connect() for _ in range(count)))
    if time.time() > share.begin_s:
        raise AssertionError("opening the streams took too long")
    await asyncio.sleep(share.begin_s - time.time())
    arrivals.times_s.clear()
    await asyncio.sleep(share.seconds)
    for transport in transports:
        transport.close()
    return arrivals.lateness_ms()


@dataclass(frozen=True, slots=True)
class Followed:
    """What was measured."""

    readings: list[list[float]]
    """For each, the delay at every stream that it reached, ms."""
    cpu_s: float
    """Processor time that the service used."""


def follow(
    web: WebService, streams: int, seconds: float, *, detailed: bool, ca: Path | None = None
) -> Followed:
    """Hold ``streams`` open for ``seconds``; by TLS, where ``ca`` verifies the service."""
    begin_s = time.time() + 5 + streams * (TLS_OPENING_S if ca else OPENING_S)
    clients = len(web.workers())
    counts = [streams // clients + (index < streams % clients) for index in range(clients)]
    shares = [
        Share(web.port, f"127.0.0.{2 + index}", count, begin_s, seconds, detailed, ca)
        for index, count in enumerate(counts)
    ]
    with ProcessPoolExecutor(clients, get_context("spawn")) as pool:
        running = [pool.submit(hold, share) for share in shares]
        time.sleep(begin_s - time.time())
        before_s = cpu_s(web)
        time.sleep(seconds)
        used_s = cpu_s(web) - before_s
        merged: dict[int, list[float]] = defaultdict(list)
        for one in running:
            for second, delays in one.result().items():
                merged[second] += delays
    return Followed([delays for _, delays in sorted(merged.items())[WARM_UP:-1]], used_s)


def processes_for(streams: int) -> int:
    """Processes of the web service that this many streams need."""
    return math.ceil(streams / MAX_STREAMS)


def allow_files(wanted: int) -> None:
    """Let this process, and what it starts, have ``wanted`` files open, or as many as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        with suppress(OSError, ValueError):  # root may have more
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    raise_file_limit(wanted)


def report(found: Followed, streams: int, seconds: float) -> None:
    """Print the percentiles over all events, and the share of streams that got them."""
    late = sorted(ms for reading in found.readings for ms in reading)
    share = len(late) / (streams * len(found.readings))
    cut = statistics.quantiles(late, n=1_000, method="inclusive")
    print(f"{streams} streams, {len(found.readings)} readings, {share:.2%} of events arrived")
    p50, p95, p99 = cut[499], cut[949], cut[989]
    print(f"ms after the reading began: p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  max {late[-1]:.1f}")
    print(f"service: {found.cpu_s / seconds:.1%} of one core for all of this")


def cpu_s(web: WebService) -> float:
    """CPU time that the service's processes have used which serve streams."""
    times = [psutil.Process(pid).cpu_times() for pid in web.workers()]
    return float(sum(one.user + one.system for one in times))


@contextmanager
def service(directory: Path, processes: int, **more: str) -> Iterator[WebService]:
    """A web service of ``processes`` processes, on a database that grows and without Redis."""
    allow_files(processes * MAX_STREAMS + SPARE_FILES)
    settings = {"FIZZBUZZ_WEB_PROCESSES": str(processes), **more}
    with started(directory, "redis://127.0.0.1:1", **settings) as site:
        yield site.web


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--processes", type=int, help="of the web service; default: one for 10,000 streams")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--detail", action="store_true", help="streams as the page opens them")
    options = parser.parse_args()
    processes = options.processes or processes_for(options.streams)
    with tempfile.TemporaryDirectory() as directory, service(Path(directory), processes) as web:
        found = follow(web, options.streams, options.seconds, detailed=options.detail)
        report(found, options.streams, options.seconds)


if __name__ == "__main__":
    main()
