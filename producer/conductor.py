"""Begins each burst at its time."""

import logging
from typing import Protocol

from pipeline.clock import NS_PER_MS, NS_PER_S
from producer import metrics
from producer.backlog import Backlog
from producer.burst import Burst, Shape
from producer.departure import SLICE_NS
from producer.schedule import Metronome

LEAD_NS = 30 * NS_PER_MS
"""Lanes get their messages this long before they are due, to prepare all but the time."""

log = logging.getLogger(__name__)


class Stop(Protocol):
    """What ends the conductor, such as a threading.Event."""

    def is_set(self) -> bool:
        """Whether to end."""

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds; returns whether to end."""


class Player(Protocol):
    """What plays the bursts: the lanes."""

    def play(self, burst: Burst) -> None:
        """Send the messages of ``burst``, each when it is due; returns at once."""

    def sweep(self) -> None:
        """Look after messages that are overdue; called often."""


class Conductor:
    """Hands a burst to the lanes for each beat of the metronome; numbers count up from 0."""

    def __init__(
        self, metronome: Metronome, lanes: Player, backlog: Backlog, shape: Shape, *, lead_ns: int
    ) -> None:
        self._metronome = metronome
        self._lanes = lanes
        self._backlog = backlog
        self._shape = shape
        self._lead_ns = lead_ns
        self._number = 0
        self._missed = 0
        self._full = 0  # bursts in a row that found the backlog full

    def run(self, stop: Stop) -> None:
        """Begin bursts until ``stop``."""
        while not stop.is_set():
            self._lanes.sweep()
            wait_ns = self._metronome.wait_ns() - self._lead_ns
            self._count_missed()
            if wait_ns > 0:
                stop.wait(min(wait_ns, SLICE_NS) / NS_PER_S)
            else:
                self._begin(self._metronome.take())

    def _begin(self, deadline_ns: int) -> None:
        if not self._backlog.reserve(self._shape.size):
            self._skip()
            return
        if self._full:
            log.info("bursts go on", extra={"skipped": self._full})
            self._full = 0
        self._lanes.play(Burst(deadline_ns, self._number, self._shape))
        self._number += self._shape.size

    def _skip(self) -> None:
        metrics.SKIPPED_BURSTS.labels("backlog_full").inc()
        if not self._full:
            log.error("the backlog is full: bursts are skipped until it has room")
        self._full += 1

    def _count_missed(self) -> None:
        missed = self._metronome.missed - self._missed
        if missed:
            self._missed = self._metronome.missed
            metrics.SKIPPED_BURSTS.labels("missed").inc(missed)
            log.warning("bursts missed: the machine slept, was too busy, or its clock was set: %d", missed)
