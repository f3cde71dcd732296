"""Single POSTs over connections that wait for each answer: what is accepted and stored in a second."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests

from bench.figure import Benchmark, Figure, Values
from bench.system import System, running, shares
from bench.wrk import SECONDS, post
from tests.support.ports import free_port
from tests.support.waiting import until

STORED_S = 60.0
"""How long the messages of a run may take to be stored."""


def _measure(checkout: Path) -> Values:
    values: dict[str, float] = {}
    with running(checkout, FIZZBUZZ_RATE="0") as system:
        for connections in (1, 16, 64):
            values |= _through(system, connections)
    with _bare_handler() as url:
        values["bare"] = post(url, 64)["rate"]
    values["of bare"] = values["64:rate"] / values["bare"]
    return values


def _through(system: System, connections: int) -> Values:
    before, began_s, used = _stored(system), time.monotonic(), system.cpu_s()
    sent = post(system.gateway_url, connections)
    took_s = time.monotonic() - began_s
    enough = before + 0.99 * sent["rate"] * SECONDS
    until(lambda: _stored(system) >= enough, within_s=STORED_S, what="not stored")
    stored = (_stored(system) - before) / (time.monotonic() - began_s)
    values = {f"{connections}:{name}": value for name, value in {**sent, "stored": stored}.items()}
    return {**values, **shares(used, system.cpu_s(), took_s, str(connections))}


def _stored(system: System) -> int:
    if not system.database.exists():  # the first write makes it
        return 0
    with closing(sqlite3.connect(f"file:{system.database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT coalesce(sum(stored), 0) FROM run").fetchone()[0])


@contextmanager
def _bare_handler() -> Iterator[str]:
    """A Flask handler that does nothing, on the gateway's server."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.bare_handler", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: post_once(url), what="the bare handler does not answer")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def post_once(url: str) -> bool:
    """Whether one POST is answered."""
    try:
        return requests.post(f"{url}/messages", data=b"{}", timeout=1).ok
    except requests.RequestException:
        return False


BENCHMARK = Benchmark(
    "single POSTs over 1, 16 and 64 connections (wrk), acknowledged durable and stored",
    {
        "64:rate": Figure("64 connections, accepted", "/s", "≥ 2.2 × 68fcf12"),
        "64:stored": Figure("64 connections, stored", "/s"),
        "64:p99": Figure("64 connections, p99", "ms"),
        "bare": Figure("a bare Flask handler on the same server, 64 connections", "/s"),
        "of bare": Figure("64 connections, of the bare handler", "×", "≥ 0.5"),
        "16:rate": Figure("16 connections, accepted", "/s", "≥ 1.7 × 68fcf12"),
        "16:p99": Figure("16 connections, p99", "ms"),
        "1:rate": Figure("one connection, accepted", "/s"),
        "1:p50": Figure("one connection, p50", "ms", "≤ 1.3"),
    },
    _measure,
)
