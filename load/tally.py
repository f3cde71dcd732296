"""What came of the requests."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of messages, and latencies of requests. Thread-safe to add to."""

    sent: int = 0
    acknowledged: int = 0
    repeated: int = 0
    """Acknowledged messages that the system says it had before."""
    refused: Counter[str] = field(default_factory=Counter)
    """Messages without an acknowledgement, by why."""
    latencies_ms: list[float] = field(default_factory=list)
    """From the moment a request was due, so waiting for its turn counts."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, count: int, repeated: int, latency_ms: float) -> None:
        """A request of ``count`` messages was answered 202."""
        with self._lock:
            self.sent += count
            self.acknowledged += count
            self.repeated += repeated
            self.latencies_ms.append(latency_ms)

    def refuse(self, count: int, why: str) -> None:
        """A request of ``count`` messages got another answer, or none."""
        with self._lock:
            self.sent += count
            self.refused[why] += count
