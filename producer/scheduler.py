"""Begins each burst at its time."""

import logging
from typing import Protocol

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer import metrics
from producer.attempt import POLL_NS
from producer.burst import Burst, BurstConfig
from producer.delivery_tracker import DeliveryTracker
from producer.schedule import Ticker

LEAD_NS = 30 * NS_PER_MS
"""Senders get their messages this long before they are due, to prepare all but the time."""

log = logging.getLogger(__name__)


class Stop(Protocol):
    """What ends the scheduler, such as a threading.Event."""

    def is_set(self) -> bool:
        """Whether to end."""

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds; returns whether to end."""


class BurstSender(Protocol):
    """What sends the bursts: the sender pool."""

    def submit(self, burst: Burst) -> None:
        """Send the messages of ``burst``, each when it is due; returns at once."""

    def expire_overdue(self) -> None:
        """Defer the messages that are overdue; called often."""


class Scheduler:
    """Submits a burst at each tick; numbers count up from 0."""

    def __init__(
        self,
        ticker: Ticker,
        senders: BurstSender,
        tracker: DeliveryTracker,
        config: BurstConfig,
        *,
        lead_ns: int,
    ) -> None:
        self._ticker = ticker
        self._senders = senders
        self._tracker = tracker
        self._config = config
        self._lead_ns = lead_ns
        self._number = 0
        self._missed = 0
        self._skipped = 0  # bursts in a row for which there was no capacity

    def run(self, stop: Stop) -> None:
        """Submit bursts until ``stop``."""
        while not stop.is_set():
            self._senders.expire_overdue()
            wait_ns = self._ticker.wait_ns() - self._lead_ns
            self._count_missed()
            if wait_ns > 0:
                stop.wait(min(wait_ns, POLL_NS) / NS_PER_S)
            else:
                self._submit(self._ticker.advance())

    def _submit(self, deadline_ns: int) -> None:
        if not self._tracker.reserve(self._config.size):
            self._skip()
            return
        if self._skipped:
            log.info("bursts resumed", extra={"skipped": self._skipped})
            self._skipped = 0
        self._senders.submit(Burst(deadline_ns, self._number, self._config))
        self._number += self._config.size

    def _skip(self) -> None:
        metrics.SKIPPED_BURSTS.labels("backlog_full").inc()
        if not self._skipped:
            log.error("the backlog is full: bursts are skipped until it has room")
        self._skipped += 1

    def _count_missed(self) -> None:
        missed = self._ticker.missed - self._missed
        if missed:
            self._missed = self._ticker.missed
            metrics.SKIPPED_BURSTS.labels("missed").inc(missed)
            log.warning("bursts missed: the machine slept, was too busy, or its clock was set: %d", missed)
