"""Reports to the consumer once a second that the gateway is alive; the consumer puts that into Redis."""

import asyncio
from contextlib import suppress
from typing import Literal, Protocol

PERIOD_S = 1.0
LAST_S = 0.5
"""How long a stop waits for the report to the consumer."""

State = Literal["ok", "stopped"]


class Listener(Protocol):
    """Who receives the reports."""

    async def report(self, name: str, started_ns: int, state: State, timeout_s: float) -> None:
        """Say that the service is in this state; never raises where that is not possible."""


class Heartbeat:
    """Reports the gateway ``name``, started at ``started_ns`` (Unix ns), to ``listener``."""

    def __init__(self, listener: Listener, name: str, started_ns: int) -> None:
        self._listener = listener
        self._name = name
        self._started_ns = started_ns
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Report from now on, on ``loop``."""
        self._task = loop.create_task(self._run())

    async def end(self) -> None:
        """Report that the gateway stops, and nothing more."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._listener.report(self._name, self._started_ns, "stopped", LAST_S)

    async def _run(self) -> None:
        while True:
            await self._listener.report(self._name, self._started_ns, "ok", PERIOD_S)
            await asyncio.sleep(PERIOD_S)
