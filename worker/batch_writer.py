"""Writes batches, retrying while the store is unavailable, and reports what it rejects for good."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.message import Batch, Message
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, StoreUnavailable
from worker import metrics

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 2.0
HEARTBEAT_S = 0.5
"""Period of heartbeats, and maximum time until a stop is noticed, while batches wait."""

log = logging.getLogger(__name__)


class ShutdownRequested(Exception):
    """The worker was asked to stop while the store was unavailable; the jobs are requeued."""


class _Unexpected(MessageRejected):
    """The store raised an error that its interface does not document."""


class BatchWriter:
    """Writes batches to ``store``.

    Args:
        heartbeat: called every ``HEARTBEAT_S`` while batches wait or are bisected; sends the jobs' heartbeat.
        stop: ends a wait.
    """

    def __init__(self, store: Store, *, heartbeat: Callable[[], None], stop: Stop) -> None:
        self._store = store
        self._heartbeat = heartbeat
        self._stop = stop
        self.available = True
        self._retry_after_s = 0.0
        self._last_heartbeat = time.monotonic()

    def write(self, batches: Sequence[Batch]) -> dict[str, str]:
        """Return when ``batches`` are stored, however long the store is unavailable.

        Messages that the store rejects are left out; returns the reasons, by batch id. Messages that cause an
        unexpected error are left out too: retrying could go on forever and block all others.

        Raises:
            ShutdownRequested: asked to stop while the store was unavailable or batches were being bisected.
        """
        self._last_heartbeat = time.monotonic()
        batches = [batch for batch in batches if batch.arrivals]
        try:
            self._write_whole(batches)
        except MessageRejected:
            return {batch.id: why for batch in batches if (why := self._write_separately(batch))}
        return {}

    def _write_separately(self, batch: Batch) -> str:
        rejected = self._bisect(batch)
        metrics.REJECTED.inc(len(rejected))
        if not rejected:
            return ""
        return f"{len(rejected)} of {len(batch.arrivals)} messages rejected: {'; '.join(rejected[:10])}"

    def _bisect(self, batch: Batch) -> list[str]:
        """Store ``batch``; if the store rejects it, its halves, down to the single messages at fault.

        Returns the reason for each rejected message.
        """
        self._check_in()
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
        wait_s = FIRST_DELAY_S
        while not self._try_write(batches):
            self._wait(max(wait_s * random.uniform(0.5, 1.0), self._retry_after_s))
            wait_s = min(2 * wait_s, MAX_DELAY_S)

    def _try_write(self, batches: Sequence[Batch]) -> bool:
        started = time.perf_counter()
        try:
            self._store.write(batches)
        except StoreUnavailable as error:
            self._mark_unavailable(error)
            return False
        except MemoryError:
            self._mark_unavailable(StoreUnavailable("this process is out of memory"))
            return False
        except MessageRejected:
            raise
        except Exception as error:
            raise _Unexpected(f"unexpected {type(error).__name__}: {error}") from error
        metrics.WRITE_SECONDS.observe(time.perf_counter() - started)
        metrics.STORED.inc(sum(len(batch.arrivals) for batch in batches))
        self._mark_available()
        return True

    def _mark_unavailable(self, error: StoreUnavailable) -> None:
        metrics.STORE_UNAVAILABLE.inc()
        self._retry_after_s = min(error.retry_after_s or 0.0, 60.0)
        if self.available:
            log.warning("the store is unavailable, messages wait in the queue; retrying: %s", error)
        self.available = False

    def _mark_available(self) -> None:
        if not self.available:
            log.info("the store is available again")
        self.available = True

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check_in()
            self._stop.wait(min(left, HEARTBEAT_S))

    def _check_in(self) -> None:
        """Raise ShutdownRequested if asked to stop; send a heartbeat if one is due."""
        if self._stop.requested:
            raise ShutdownRequested("asked to stop before everything was stored")
        if time.monotonic() - self._last_heartbeat >= HEARTBEAT_S:
            self._heartbeat()
            self._last_heartbeat = time.monotonic()


def _report(message: Message, error: MessageRejected) -> str:
    named = {"run": message.run, "number": message.number}
    cause = error.__cause__ if isinstance(error, _Unexpected) else None
    log.error("message rejected: %s", error, extra=named, exc_info=cause)
    return f"run {message.run} number {message.number}: {error}"
