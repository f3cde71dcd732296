"""A burst: messages that are due together, and how well they kept their time."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.clock import NS_PER_MS
from producer import metrics

LATE_NS = 10 * NS_PER_MS
"""A burst whose first message leaves later than this after its deadline counts as late."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One message's place in a burst."""

    number: int
    due_ns: int
    burst: "Burst"


@dataclass(frozen=True, slots=True)
class Shape:
    """What all bursts have in common."""

    size: int
    """Messages in a burst."""
    gap_ns: int
    """From one message's due time to the next one's."""


class Burst:
    """Messages from ``first_number`` on, the first of them due at ``deadline_ns``."""

    def __init__(self, deadline_ns: int, first_number: int, shape: Shape) -> None:
        self.deadline_ns = deadline_ns
        """When its first message is due, Unix nanoseconds."""
        self._first_number = first_number
        self._shape = shape
        self._lock = threading.Lock()
        self._waiting = shape.size
        self._left_ns: list[int] = []

    def slots(self) -> Iterator[Slot]:
        """Its messages, in the order in which they are due."""
        for index in range(self._shape.size):
            yield Slot(self._first_number + index, self.deadline_ns + index * self._shape.gap_ns, self)

    def note(self, left_ns: int | None) -> None:
        """One of its messages left at ``left_ns``, or did not leave in time (None). Thread-safe."""
        with self._lock:
            self._waiting -= 1
            if left_ns is not None:
                self._left_ns.append(left_ns)
            if self._waiting == 0:
                self._observe()

    def _observe(self) -> None:
        metrics.BURSTS.inc()
        if not self._left_ns:
            metrics.LATE_BURSTS.inc()
            return
        first_ns, last_ns = min(self._left_ns), max(self._left_ns)
        metrics.START_OFFSET_SECONDS.observe((first_ns - self.deadline_ns) / 1e9)
        metrics.BURST_SPAN_SECONDS.observe((last_ns - first_ns) / 1e9)
        if len(self._left_ns) < self._shape.size or first_ns - self.deadline_ns > LATE_NS:
            metrics.LATE_BURSTS.inc()
