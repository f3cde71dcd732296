"""Writes batches, retrying while the store is unavailable, and reports what it rejects for good."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from pipeline.message import Batch, Message
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, StoreUnavailable, Written
from pipeline.store.written import job_of
from worker import metrics
from worker.outcome import WriteOutcome

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 2.0
TRIES_TOGETHER = 3
"""After as many failed writes half as many batches are tried: a slow database may not store all of them in
time."""
GROW_AFTER = 10
"""After as many writes that succeed twice as many are tried again."""
MANY = 1_000
"""Batches that are written at once at most: more than a worker holds."""
HEARTBEAT_S = 0.5
"""Period of heartbeats, and maximum time until a stop is noticed, while batches wait."""

SLOW_WRITE_S = 1.0
"""A write that takes longer is reported: a locked SQLite lets it wait for 5 s, a silent InfluxDB too."""

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
        self._most = MANY  # batches that are written at once
        self._in_a_row = 0  # writes of as many that succeeded one after another
        self._worked = MANY  # that were written at once last
        self.available = True
        self.last_write_ns: int | None = None
        """When a write last succeeded, Unix ns."""
        self._reason = ""
        self._write_began_s: float | None = None
        self._retry_after_s = 0.0
        self._last_heartbeat = time.monotonic()

    @property
    def problem(self) -> str:
        """Why nothing can be written now; empty where it can. Any thread may ask."""
        began_s = self._write_began_s
        if not self.available:
            return self._reason
        if began_s is not None and time.monotonic() - began_s > SLOW_WRITE_S:
            return f"the database has not answered a write for more than {SLOW_WRITE_S:.0f} s"
        return ""

    def write(self, batches: Sequence[Batch]) -> dict[str, WriteOutcome]:
        """Return when ``batches`` are stored, however long the store is unavailable.

        Messages that the store rejects are left out, and so are messages that cause an unexpected error:
        retrying could continue forever and block all others. Returns the outcomes by batch id.

        Raises:
            ShutdownRequested: asked to stop while the store was unavailable or batches were being bisected,
                or between two groups.
        """
        self._last_heartbeat = time.monotonic()
        outcomes = {batch.id: WriteOutcome() for batch in batches}
        try:
            self._write_all([batch for batch in batches if batch.arrivals], outcomes)
        finally:
            self.available = True  # where it was left early nothing is known: another worker may store these
        return outcomes

    def _write_all(self, rest: Sequence[Batch], outcomes: Mapping[str, WriteOutcome]) -> None:
        while rest:
            try:
                count = self._write_first(rest, outcomes)
            except MessageRejected:  # none of them has been counted
                count = min(self._most, len(rest))
                for batch in rest[:count]:
                    self._bisect(batch, outcomes)
            rest = rest[count:]
            if rest:
                self._check_in()

    def _bisect(self, batch: Batch, outcomes: Mapping[str, WriteOutcome]) -> None:
        """Store ``batch``; if the store rejects it, its halves, down to the single messages at fault."""
        self._check_in()
        try:
            self._write_first([batch], outcomes)
        except MessageRejected as error:
            if len(batch.arrivals) == 1:
                metrics.REJECTED.inc()
                outcomes[job_of(batch.id)].reasons.append(_report(batch.arrivals[0].message, error))
                return
            middle = len(batch.arrivals) // 2
            for index, half in enumerate((batch.arrivals[:middle], batch.arrivals[middle:])):
                self._bisect(replace(batch, id=f"{batch.id}.{index}", arrivals=half), outcomes)

    def _write_first(self, batches: Sequence[Batch], outcomes: Mapping[str, WriteOutcome]) -> int:
        """Store the first of ``batches``, as many as the store manages at once; returns how many.

        Raises MessageRejected.
        """
        tries, wait_s = 0, FIRST_DELAY_S
        while (written := self._try_write(group := batches[: self._most])) is None:
            tries, self._in_a_row = tries + 1, 0
            if tries % TRIES_TOGETHER == 0 or (tries == 1 and len(group) > self._worked):
                self._most = max(1, len(group) // 2)
            self._wait(max(wait_s * random.uniform(0.5, 1.0), self._retry_after_s))
            wait_s = min(2 * wait_s, MAX_DELAY_S)
        self._worked = len(group) if self._most < MANY else MANY
        self._in_a_row += len(group) == self._most
        if self._in_a_row == GROW_AFTER:
            self._most, self._in_a_row = min(2 * self._most, MANY), 0
        self._record_stored(written.keys())
        for batch in group:
            runs = Counter(arrival.message.run for arrival in batch.arrivals)
            outcomes[job_of(batch.id)].add(runs, written[batch.id])
        return len(group)

    def _try_write(self, batches: Sequence[Batch]) -> Written | None:
        """None where the store is unavailable."""
        started = time.perf_counter()
        self._write_began_s = time.monotonic()
        try:
            written = self._store.write(batches)
        except StoreUnavailable as error:
            self._mark_unavailable(error)
            return None
        except MemoryError:
            self._mark_unavailable(StoreUnavailable("this process is out of memory"))
            return None
        except MessageRejected:
            self._mark_available()  # it answered
            raise
        except Exception as error:
            self._mark_available()
            raise _Unexpected(f"unexpected {type(error).__name__}: {error}") from error
        finally:
            self._write_began_s = None
        self.last_write_ns = time.time_ns()
        metrics.WRITE_SECONDS.observe(time.perf_counter() - started)
        metrics.STORED.inc(sum(sum(batch.added.values()) for batch in written.values()))
        self._mark_available()
        return written

    def _record_stored(self, batch_ids: Collection[str]) -> None:
        """The messages are stored, even if this fails."""
        try:
            self._store.record_stored(batch_ids, time.time_ns())
        except (StoreUnavailable, MessageRejected) as error:
            log.warning("the messages are stored; the time of it is not: %s", error)

    def _mark_unavailable(self, error: StoreUnavailable) -> None:
        metrics.STORE_UNAVAILABLE.inc()
        self._retry_after_s = min(error.retry_after_s or 0.0, 60.0)
        if self.available:
            log.warning("the store is unavailable, messages wait in the queue; retrying: %s", error)
        self._reason = str(error)
        self.available = False

    def _mark_available(self) -> None:
        if not self.available:
            log.info("the store is available")
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
