"""Writes a batch for as long as it takes, and sets aside what the store will never take."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.message import Batch, Message
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, StoreUnavailable
from worker import metrics

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
STEP_S = 0.5
"""A wait is cut into steps, so that a stop need not wait for its end, with a sign of life at each."""

log = logging.getLogger(__name__)


class ShutdownRequested(Exception):
    """The worker was told to stop while the store was away; the job goes back to the queue."""


class _Unforeseen(MessageRejected):
    """The store raised what it does not document."""


class BatchWriter:
    """Writes batches to ``store``.

    Args:
        beat: called every ``STEP_S`` while batches wait or are written in parts; gives the jobs' heartbeat.
        stop: ends a wait.
    """

    def __init__(self, store: Store, *, beat: Callable[[], None], stop: Stop) -> None:
        self._store = store
        self._beat = beat
        self._stop = stop
        self.available = True
        self._retry_after_s = 0.0
        self._last_beat = time.monotonic()

    def write(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return when ``batches`` are stored, however long the store is away.

        What the store will never take is left out; returns why, by the name of its batch. So is what it
        fails at in a way that nobody foresaw: repeating it could go on for ever, and hold up all others.

        Raises:
            ShutdownRequested: told to stop while the store was away, or while batches were written in parts.
        """
        self._last_beat = time.monotonic()
        batches = [batch for batch in batches if batch.arrivals]
        try:
            self._write_whole(batches)
        except MessageRejected:
            return {batch.id: why for batch in batches if (why := self._write_apart(batch))}
        return {}

    def _write_apart(self, batch: Batch) -> str:
        rejected = self._bisect(batch)
        metrics.REJECTED.inc(len(rejected))
        if not rejected:
            return ""
        return f"{len(rejected)} of {len(batch.arrivals)} messages rejected: {'; '.join(rejected[:10])}"

    def _bisect(self, batch: Batch) -> list[str]:
        """Store ``batch``; where the store refuses it, its halves, down to the messages that are at fault.

        Returns why, for each message that was refused.
        """
        self._go_on()
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
                for reason in self._bisect(replace(batch, id=f"{batch.id}.{index}", arrivals=half))
            ]
        return []

    def _write_whole(self, batches: Sequence[Batch]) -> None:
        wait_s = FIRST_WAIT_S
        while not self._try(batches):
            self._wait(max(wait_s * random.uniform(0.5, 1.0), self._retry_after_s))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _try(self, batches: Sequence[Batch]) -> bool:
        started = time.perf_counter()
        try:
            self._store.write(batches)
        except StoreUnavailable as error:
            self._mark_unavailable(error)
            return False
        except MemoryError:
            self._mark_unavailable(StoreUnavailable("this process has no memory left"))
            return False
        except MessageRejected:
            raise
        except Exception as error:
            raise _Unforeseen(f"unexpected {type(error).__name__}: {error}") from error
        metrics.WRITE_SECONDS.observe(time.perf_counter() - started)
        metrics.STORED.inc(sum(len(batch.arrivals) for batch in batches))
        self._mark_available()
        return True

    def _mark_unavailable(self, error: StoreUnavailable) -> None:
        metrics.STORE_UNAVAILABLE.inc()
        self._retry_after_s = min(error.retry_after_s or 0.0, 60.0)
        if self.available:
            log.warning("the store is away, messages wait in the queue: %s", error)
        self.available = False

    def _mark_available(self) -> None:
        if not self.available:
            log.info("the store is back")
        self.available = True

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._go_on()
            self._stop.wait(min(left, STEP_S))

    def _go_on(self) -> None:
        """Between two tries: heed a stop, give a heartbeat where one is due."""
        if self._stop.requested:
            raise ShutdownRequested("told to stop before all was stored")
        if time.monotonic() - self._last_beat >= STEP_S:
            self._beat()
            self._last_beat = time.monotonic()


def _report(message: Message, error: MessageRejected) -> str:
    named = {"run": message.run, "number": message.number}
    cause = error.__cause__ if isinstance(error, _Unforeseen) else None
    log.error("message rejected: %s", error, extra=named, exc_info=cause)
    return f"run {message.run} number {message.number}: {error}"
