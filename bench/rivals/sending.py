"""The senders, the same for all: wrk for the most that is accepted, ``load`` for a steady rate."""

import asyncio
import json
import secrets
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from load.latency import Latencies
from load.measurements import Measurements
from load.options import Options
from load.sender import Sender
from load.target import Target

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Flood:
    """What wrk had answered."""

    accepted: int
    seconds: float
    refused: int
    failed: int
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds


def wrk_is_there() -> bool:
    return shutil.which("wrk") is not None


def flood(url: str, run: str, connections: int, seconds: int) -> Flood:
    """Send as fast as ``connections`` are answered, for ``seconds``."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*command, url, "--", run, _now()], capture_output=True, text=True, check=True, timeout=seconds + 30
    )
    return parse(done.stdout)


def parse(output: str) -> Flood:
    """wrk's result, in the line that the script writes."""
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    return Flood(
        accepted=found["requests"] - found["refused"],
        seconds=found["duration_us"] / 1e6,
        refused=found["refused"],
        failed=found["failed"],
        p99_ms=found["p99_ms"],
    )


def steady(
    target: Target,
    run: str,
    rate: float,
    seconds: float,
    beside: Callable[[threading.Event], None] = lambda over: None,
) -> Measurements:
    """Send at ``rate``, open loop, with retries.

    Args:
        beside: called in a thread at the beginning; it returns soon after its event is set.
    """
    over = threading.Event()

    async def send() -> Measurements:
        options = Options(rate=rate, seconds=seconds)
        sender = Sender(target, run, secrets.token_urlsafe(24), options, lambda done: None)
        thread = asyncio.create_task(asyncio.to_thread(beside, over))
        try:
            measured = await sender.run()
        finally:
            over.set()
        await thread
        return measured

    return uvloop.run(send())


def latency_ms(measured: Measurements, percentile: float) -> float | None:
    """From due to acknowledged."""
    return Latencies(measured.latency_us).ms(percentile)


def send_one(url: str, run: str, number: int) -> bool:
    """Whether one message was accepted."""
    body = json.dumps({"run": run, "number": number, "sent_at": _now()}).encode()
    request = urllib.request.Request(
        f"{url}/messages", body, {"Content-Type": "application/json"}, method="POST"
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
        return bool(answer.status == 202)
    return False


def new_run() -> str:
    """A new name of a run."""
    return f"rivals-{secrets.token_hex(6)}"


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
