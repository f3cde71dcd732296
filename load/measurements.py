"""What was measured of each request, as it came."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

from load.ledger import NOT_SENT, Ledger
from load.schedule import Schedule

US_PER_S = 1_000_000
_MAX_US = 2**32 - 1


@dataclass(slots=True)
class Measurements:
    """One entry per request that became due, in the order of the schedule. Not thread-safe."""

    schedule: Schedule
    ledger: Ledger
    started_ns: int
    """Unix nanoseconds at which the first request was due."""
    behind_us: "array[int]" = field(default_factory=lambda: array("I"))
    """How late the sender itself was: from the scheduled time until it began with the request."""
    waited_us: "array[int]" = field(default_factory=lambda: array("I"))
    """From then until a connection was free for it."""
    latency_us: "array[int]" = field(default_factory=lambda: array("I"))
    """From the scheduled time to the acknowledgement; without one, until the sender stopped waiting."""
    acknowledged: bytearray = field(default_factory=bytearray)
    """1 where the request was answered 202."""
    failures: "Counter[str]" = field(default_factory=Counter)
    """Attempts that were not answered 202, by reason."""
    retries: int = 0
    """Attempts beyond the first of a request."""
    duplicates: int = 0
    """Acknowledged messages that the system reports as accepted before."""
    sending_us: int = 0
    """From the start until the last request left for the first time."""
    interrupted: bool = False

    def due(self, behind_ns: int) -> None:
        """The next request of the schedule is due."""
        self.behind_us.append(min(_MAX_US, max(0, behind_ns // 1_000)))
        self.waited_us.append(0)
        self.latency_us.append(0)
        self.acknowledged.append(0)

    def left(self, request: int, waited_ns: int, passed_ns: int) -> None:
        """A request left for the first time, ``passed_ns`` after the start."""
        self.waited_us[request] = min(_MAX_US, max(0, waited_ns // 1_000))
        self.sending_us = max(self.sending_us, passed_ns // 1_000)
        numbers = self.schedule.numbers(request)
        self.ledger.sent(numbers.start, len(numbers))

    def ended(self, request: int, latency_ns: int, *, acknowledged: bool) -> None:
        """A request was answered 202, or is given up."""
        self.latency_us[request] = min(_MAX_US, max(1, latency_ns // 1_000))
        self.acknowledged[request] = acknowledged

    @property
    def sent(self) -> int:
        """Messages that left at least once."""
        return len(self.ledger) - self.ledger.count(NOT_SENT)

    @property
    def kept_rate(self) -> float:
        """Messages a second that the sender started on: the planned rate, less its own delay."""
        due = len(self.behind_us)
        if due == 0:
            return 0.0
        planned_us = due * self.schedule.batch / self.schedule.rate * US_PER_S
        late_us = self.behind_us[-1]
        return self.schedule.rate * planned_us / (planned_us + late_us)
