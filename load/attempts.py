"""One request of the schedule, through all its attempts, until it is answered 202 or given up."""

import random
import time
from dataclasses import dataclass, field
from typing import Protocol

from load.connection import Answer
from load.encoder import receipt
from load.measurements import Measurements
from load.schedule import Schedule

ACCEPTED = 202
FIRST_PAUSE_S, MAX_PAUSE_S = 0.05, 1.0
MAX_RETRY_AFTER_S = 5.0
_TEMPORARY = {408, 425, 429}


class Run(Protocol):
    """What a request needs of the run that it belongs to."""

    schedule: Schedule
    measured: Measurements
    start_ns: int

    def encode(self, index: int) -> bytes:
        """The bytes of a request."""

    def may_retry(self, request: "ScheduledRequest") -> bool:
        """Whether a request that was not answered 202 is sent again."""

    def later(self, delay_s: float, request: "ScheduledRequest") -> None:
        """Send ``request`` again after ``delay_s``."""

    def end(self, request: "ScheduledRequest", *, acknowledged: bool) -> None:
        """A request was answered 202, or is given up."""


@dataclass(slots=True, eq=False)
class ScheduledRequest:
    """Its bytes stay the same in each attempt. Times are ``time.monotonic_ns()``."""

    sender: Run
    index: int
    due_ns: int
    ready_ns: int
    """When the sender started on it."""
    attempts: int = 0
    content: bytes = field(default=b"", repr=False)
    hopeless: bool = False
    """The last answer was an error of the request itself, which no repetition is likely to change."""

    def start(self) -> bytes:
        """It is sent on a connection now."""
        self.attempts += 1
        if self.attempts > 1:
            self.sender.measured.retries += 1
            return self.content
        now_ns = time.monotonic_ns()
        self.sender.measured.left(self.index, now_ns - self.ready_ns, now_ns - self.sender.start_ns)
        self.content = self.sender.encode(self.index)
        return self.content

    def answered(self, answer: Answer) -> None:
        """An attempt was answered."""
        measured, numbers = self.sender.measured, self.sender.schedule.numbers(self.index)
        if answer.status == ACCEPTED:
            arrived_us, duplicates = receipt(answer.body)
            measured.ledger.acknowledged(numbers.start, len(numbers), arrived_us)
            measured.duplicates += duplicates
            self.sender.end(self, acknowledged=True)
            return
        measured.ledger.refused(numbers.start, len(numbers))
        self.hopeless = 400 <= answer.status < 500 and answer.status not in _TEMPORARY
        self._again(str(answer.status), answer.retry_after_s)

    def failed(self, reason: str) -> None:
        """An attempt got no answer, or could not be sent."""
        if self.attempts == 0:
            # Nothing of it was sent. Still it was tried, and counts as a message without an answer.
            self.start()
        self.hopeless = False
        self._again(reason, None)

    def give_up(self) -> None:
        """No answer is waited for any more."""
        if self.attempts == 0:
            self.start()  # it was due and waited for a connection: it too is a message without an answer
        self.sender.end(self, acknowledged=False)

    def _again(self, reason: str, retry_after_s: float | None) -> None:
        self.sender.measured.failures[reason] += 1
        if self.sender.may_retry(self):
            self.sender.later(self._pause_s(retry_after_s), self)
        else:
            self.give_up()

    def _pause_s(self, retry_after_s: float | None) -> float:
        """What the server asked for, else twice as long each time, a random part of it."""
        if retry_after_s is not None:
            return min(retry_after_s, MAX_RETRY_AFTER_S)
        most_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.attempts, 10))
        return most_s * random.uniform(0.5, 1.0)
