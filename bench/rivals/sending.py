"""The senders, the same for all: ``load`` for a steady rate, and single messages. ``bench.wrk`` floods."""

import asyncio
import json
import secrets
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import uvloop

from bench.wrk import now
from load.latency import Latencies
from load.measurements import Measurements
from load.options import Options
from load.sender import Sender
from load.target import Target


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
    """From scheduled send to acknowledgement."""
    return Latencies(measured.latency_us).ms(percentile)


def send_one(url: str, run: str, number: int) -> bool:
    """Whether one message was accepted."""
    body = json.dumps({"run": run, "number": number, "sent_at": now()}).encode()
    request = urllib.request.Request(
        f"{url}/messages", body, {"Content-Type": "application/json"}, method="POST"
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
        return bool(answer.status == 202)
    return False


def new_run() -> str:
    """A new name of a run."""
    return f"rivals-{secrets.token_hex(6)}"
