"""Reports to the consumer once a second that the gateway is alive; the consumer puts that into Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

PERIOD_S = 1.0
LAST_S = 0.5
"""How long a stop waits for the report to the consumer."""

State = Literal["ok", "stopped"]


class Heartbeat:
    """Calls ``report`` with the gateway's state and how long that may take, in seconds. It never raises."""

    def __init__(self, report: Callable[[State, float], Awaitable[None]]) -> None:
        self._report = report
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
        await self._report("stopped", LAST_S)

    async def _run(self) -> None:
        while True:
            await self._report("ok", PERIOD_S)
            await asyncio.sleep(PERIOD_S)
