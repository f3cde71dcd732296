"""The one sampler of this process: once a second it polls the store and the queue and makes a snapshot."""

import time
from collections.abc import Callable, Sequence

import gevent

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock
from web import metrics
from web.event_log import EventLog, LossDetector
from web.poller import BackgroundPoller
from web.queue_reader import QueueSample
from web.snapshot import Snapshot
from web.store_reader import StoreSample

PERIOD_NS = NS_PER_S
PHASE_NS = 250 * NS_PER_MS
"""A tick is 250 ms after each full second. A burst is sent in the first 100 ms of a second, so it is stored
by then, and a window never cuts it in two."""

POLL_WAIT_S = 0.5
"""A tick waits this long for its polls, then the snapshot is made of what there is."""


class Sampler:
    """Polls the store and the queue, and makes a snapshot of what it knows."""

    def __init__(
        self,
        store_poller: BackgroundPoller[int, StoreSample],
        queue_poller: BackgroundPoller[Sequence[str], QueueSample],
        *,
        store: str,
        name: str = "web",
        clock: Clock = time.time_ns,
    ) -> None:
        self._store_poller = store_poller
        self._queue_poller = queue_poller
        self._store = store
        self._clock = clock
        self._losses = LossDetector()
        self._log = EventLog()
        self._log.record_starts({name: clock()})
        self._last_id = 0
        self._evaluated_at_s: float | None = None  # the store's sample that losses were last computed from

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
            self._poll(at_ns)
        self._update_losses()
        self._record_events(at_ns)
        metrics.READ_AT.set(at_ns / NS_PER_S)
        return self._snapshot(at_ns)

    def _poll(self, at_ns: int) -> None:
        known = self._store_poller.value
        self._store_poller.poll(at_ns)
        self._queue_poller.poll([run.run for run in known.totals.runs] if known else [])
        until_s = time.monotonic() + POLL_WAIT_S
        self._store_poller.wait(until_s - time.monotonic())
        self._queue_poller.wait(until_s - time.monotonic())

    def _update_losses(self) -> None:
        """Only a new sample can tell what is lost; a remembered one is not evaluated twice."""
        poller = self._store_poller
        if poller.error:
            self._losses.pause()
        elif poller.value and poller.at_s != self._evaluated_at_s:
            self._losses.update(poller.value.totals)
        self._evaluated_at_s = poller.at_s

    def _record_events(self, at_ns: int) -> None:
        self._log.record_availability(at_ns, "database", self._store_poller.error)
        self._log.record_availability(at_ns, "Redis", self._queue_poller.error)
        if self._queue_poller.value:
            self._log.record_starts(self._queue_poller.value.started_ns)
        if self._store_poller.value:
            self._log.record_runs(self._store_poller.value.totals)
        self._log.record_losses(at_ns, self._losses.lost)

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
            losses=self._losses.lost,
            events=self._log.events,
            error=error,
        )
