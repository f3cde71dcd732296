"""A burst: messages that are due together, and how well they kept their time."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.clock import NS_PER_MS
from producer import metrics

LATE_NS = 10 * NS_PER_MS
"""A burst whose first message is sent later than this after its deadline counts as late."""


@dataclass(frozen=True, slots=True)
class BurstConfig:
    """What all bursts have in common."""

    size: int
    """Messages in a burst."""
    spacing_ns: int
    """From one message's due time to the next one's."""


@dataclass(frozen=True, slots=True)
class BurstTiming:
    """The times around a burst's deadline."""

    lead_ns: int
    """It is submitted this long before."""
    span_ns: int
    """Its messages must be sent within this time after."""


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """One message of a burst."""

    number: int
    due_ns: int
    burst: "Burst"


class Burst:
    """Messages from ``first_number`` on, the first of them due at ``deadline_ns``."""

    def __init__(self, deadline_ns: int, first_number: int, config: BurstConfig) -> None:
        self.deadline_ns = deadline_ns
        """When its first message is due, Unix nanoseconds."""
        self._first_number = first_number
        self._config = config
        self._lock = threading.Lock()
        self._unsent = config.size
        self._sent_ns: list[int] = []

    def messages(self) -> Iterator[ScheduledMessage]:
        """Its messages, in the order in which they are due."""
        for index in range(self._config.size):
            due_ns = self.deadline_ns + index * self._config.spacing_ns
            yield ScheduledMessage(self._first_number + index, due_ns, self)

    def record(self, sent_ns: int | None) -> None:
        """One of its messages was sent at ``sent_ns``, or not in time (None). Thread-safe."""
        with self._lock:
            self._unsent -= 1
            if sent_ns is not None:
                self._sent_ns.append(sent_ns)
            if self._unsent == 0:
                self._observe()

    def _observe(self) -> None:
        metrics.BURSTS.inc()
        if not self._sent_ns:
            metrics.LATE_BURSTS.inc()
            return
        first_ns, last_ns = min(self._sent_ns), max(self._sent_ns)
        metrics.START_OFFSET_SECONDS.observe((first_ns - self.deadline_ns) / 1e9)
        metrics.BURST_SPAN_SECONDS.observe((last_ns - first_ns) / 1e9)
        if len(self._sent_ns) < self._config.size or first_ns - self.deadline_ns > LATE_NS:
            metrics.LATE_BURSTS.inc()
