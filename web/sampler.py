"""The one sampler of this process: once a second it polls Redis and the store and makes a snapshot."""

import time
from collections.abc import Callable

import gevent

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock
from web import metrics
from web.gate import Gate
from web.observer import Observer, Reading
from web.poller import BackgroundPoller
from web.queue_reader import QueueRequest, QueueSample
from web.snapshot import Snapshot
from web.store_reader import StoreRequest, StoreSample

PERIOD_NS = NS_PER_S
PHASE_NS = 250 * NS_PER_MS
"""A tick is 250 ms after each full second. A burst is sent in the first 100 ms of a second, so it is stored
by then, and a window never cuts it in two."""

QUEUE_WAIT_S = 0.2
POLL_WAIT_S = 0.5
"""A tick waits this long for Redis, and this long in all, then the snapshot is made of what there is."""


class Sampler:
    """Polls Redis and the store, and makes a snapshot of what it knows.

    The store's totals are read after Redis, so that the ledger never lacks a message that moves meanwhile
    (``web.ledger``); the store's window is read at the same time as Redis.
    """

    def __init__(
        self,
        store_poller: BackgroundPoller[StoreRequest, StoreSample],
        queue_poller: BackgroundPoller[QueueRequest, QueueSample],
        observer: Observer,
        *,
        store: str,
        clock: Clock = time.time_ns,
    ) -> None:
        self._store_poller = store_poller
        self._queue_poller = queue_poller
        self._observer = observer
        self._store = store
        self._clock = clock
        self._last_id = 0
        self._store_at_s: float | None = None  # when the store's last sample was received
        self._asked_again = False  # whether Redis was asked again after the last pair
        self._read_before: QueueSample | None = None  # what was known of Redis when the store was asked

    def run(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish a snapshot once a second, forever."""
        while True:
            now_ns = self._clock()
            wait_ns = PERIOD_NS - (now_ns - PHASE_NS) % PERIOD_NS
            gevent.sleep(wait_ns / NS_PER_S)
            metrics.READING_LAG_SECONDS.observe(max(0.0, (self._clock() - now_ns - wait_ns) / NS_PER_S))
            publish(self.sample())

    def sample(self) -> Snapshot:
        """Poll both sources; a snapshot within ``POLL_WAIT_S``."""
        at_ns = self._clock()
        with metrics.READING_SECONDS.time():
            reading = self._poll(at_ns)
        self._observer.observe(reading)
        if self._observer.is_in_doubt:
            self._asked_again = self._queue_poller.poll(self._observer.queue_request())
        metrics.READ_AT.set(at_ns / NS_PER_S)
        return self._snapshot(at_ns)

    def _poll(self, at_ns: int) -> Reading:
        until_s = time.monotonic() + POLL_WAIT_S
        confirmation = self._confirmation()
        pair = self._collect()  # of a call that an earlier tick began
        known_at_s = self._queue_poller.at_s
        self._queue_poller.poll(self._observer.queue_request())
        gevent.sleep(0)  # Redis is asked before the store's thread uses the processor
        queue_read = Gate()
        store_asked = self._store_poller.poll(self._observer.store_request(at_ns, queue_read))
        self._queue_poller.wait(QUEUE_WAIT_S)
        if store_asked:
            self._read_before = None if self._queue_poller.error else self._queue_poller.value
        queue_read.open()
        if self._queue_poller.value and self._queue_poller.at_s != known_at_s:
            self._observer.observe_queue(at_ns, self._queue_poller.value)
        self._store_poller.wait(until_s - time.monotonic())
        return Reading(
            at_ns,
            self._queue_poller.error,
            self._collect() or pair,
            self._store_poller.error,
            confirmation,
        )

    def _confirmation(self) -> QueueSample | None:
        """What was asked at the end of the tick before."""
        known_at_s = self._queue_poller.at_s
        self._queue_poller.wait(0.0)
        is_new = self._asked_again and self._queue_poller.at_s != known_at_s
        self._asked_again = False
        return self._queue_poller.value if is_new else None

    def _collect(self) -> tuple[QueueSample | None, StoreSample] | None:
        """A sample of the store that is new, and the sample of Redis from before it was asked for."""
        self._store_poller.wait(0.0)
        value, at_s = self._store_poller.value, self._store_poller.at_s
        if value is None or at_s == self._store_at_s:
            return None
        self._store_at_s = at_s
        return self._read_before, value

    def _snapshot(self, at_ns: int) -> Snapshot:
        sample, error = self._store_poller.value, self._store_poller.error
        self._last_id = max(at_ns // NS_PER_MS, self._last_id + 1)
        return Snapshot(
            id=self._last_id,
            at_ns=at_ns,
            store=self._store,
            totals=sample.totals if sample else None,
            window=sample.window if sample and not error else None,
            queue=None if self._queue_poller.error else self._queue_poller.value,
            balance=self._observer.balance,
            runs=self._observer.runs,
            conditions=self._observer.conditions,
            events=self._observer.events,
            error=error,
        )
