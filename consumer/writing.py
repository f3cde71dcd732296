"""Writes a batch for as long as it takes, and sets aside what the store will never take."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from consumer import metrics
from pipeline.message import Batch, Message
from pipeline.store import MessageRejected, Store, StoreUnavailable

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
STEP_S = 0.5
"""A wait is cut into steps, so that a stop need not wait for its end, with a sign of life at each."""

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The worker was told to stop while the store was away; the job goes back to the queue."""


class Writing:
    """Writes batches to ``store``.

    Args:
        beat: called every ``STEP_S`` while batches wait; gives the jobs' sign of life.
        stopping: whether the worker was told to stop.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        beat: Callable[[], None],
        stopping: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._beat = beat
        self._stopping = stopping
        self._sleep = sleep
        self.available = True
        self._asked_s = 0.0

    def write(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return when ``batches`` are stored, however long the store is away.

        What the store will never take is left out; returns why, by the name of its batch.

        Raises:
            Stopped: told to stop while the store was away.
        """
        batches = [batch for batch in batches if batch.arrivals]
        try:
            self._write_whole(batches)
        except MessageRejected:
            return {batch.id: why for batch in batches if (why := self._write_apart(batch))}
        return {}

    def _write_apart(self, batch: Batch) -> str:
        rejected = self._write_parts(batch)
        metrics.REJECTED.inc(len(rejected))
        if not rejected:
            return ""
        return f"{len(rejected)} of {len(batch.arrivals)} messages rejected: {'; '.join(rejected[:10])}"

    def _write_parts(self, batch: Batch) -> list[str]:
        """Store ``batch``; where the store refuses it, its halves, down to the messages that are at fault.

        Returns why, for each message that was refused.
        """
        try:
            self._write_whole([batch])
        except MessageRejected as error:
            if len(batch.arrivals) == 1:
                return [_report(batch.arrivals[0].message, error)]
            middle = len(batch.arrivals) // 2
            halves = batch.arrivals[:middle], batch.arrivals[middle:]
            return [
                reason
                for index, half in enumerate(halves)
                for reason in self._write_parts(replace(batch, id=f"{batch.id}.{index}", arrivals=half))
            ]
        return []

    def _write_whole(self, batches: Sequence[Batch]) -> None:
        wait_s = FIRST_WAIT_S
        while not self._try(batches):
            self._wait(max(wait_s * random.uniform(0.5, 1.0), self._asked_s))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _try(self, batches: Sequence[Batch]) -> bool:
        started = time.perf_counter()
        try:
            self._store.write(batches)
        except StoreUnavailable as error:
            self._away(error)
            return False
        metrics.WRITE_SECONDS.observe(time.perf_counter() - started)
        metrics.STORED.inc(sum(len(batch.arrivals) for batch in batches))
        self._back()
        return True

    def _away(self, error: StoreUnavailable) -> None:
        metrics.STORE_AWAY.inc()
        self._asked_s = min(error.retry_after_s or 0.0, 60.0)
        if self.available:
            log.warning("the store is away, messages wait in the queue: %s", error)
        self.available = False

    def _back(self) -> None:
        if not self.available:
            log.info("the store is back")
        self.available = True

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stopping():
                raise Stopped("told to stop while the store was away")
            self._beat()
            self._sleep(min(left, STEP_S))


def _report(message: Message, error: MessageRejected) -> str:
    log.error("message rejected: %s", error, extra={"run": message.run, "number": message.number})
    return f"run {message.run} number {message.number}: {error}"
