"""An attempt to send a message: when it may be sent, and the time that it carries."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock, to_rfc3339

Sleep = Callable[[float], None]

POLL_NS = 100 * NS_PER_MS
"""The wall clock is read this often, since it may be set while a message waits."""

_TIME_LENGTH = len(to_rfc3339(0))


class Attempt(Protocol):
    """When a message may be sent, and the ``sent_at`` it carries."""

    def wait(self) -> None:
        """Return when it may be sent."""

    def stamp_sent_at(self) -> int:
        """The message's ``sent_at``, Unix nanoseconds; called at the moment of sending."""


class FirstAttempt:
    """A message's first attempt: its ``sent_at`` is the clock at the moment of sending.

    Args:
        due_ns: it is sent no earlier than this, Unix nanoseconds.
        latest_ns: if it is sent later than this (the machine slept), its due time is its ``sent_at``.
        max_early_ns: no message is prepared longer than this before it is due; if it is due later than that,
            the clock was set back, and it is sent at once.
    """

    def __init__(
        self, due_ns: int, latest_ns: int, clock: Clock, *, max_early_ns: int, sleep: Sleep = time.sleep
    ) -> None:
        self._due_ns = due_ns
        self._latest_ns = latest_ns
        self._clock = clock
        self._max_early_ns = max_early_ns
        self._sleep = sleep
        self.left_ns: int | None = None
        """When it was sent, if that was in time."""

    def wait(self) -> None:
        while 0 < (early_ns := self._due_ns - self._clock()) <= self._max_early_ns:
            self._sleep(min(early_ns, POLL_NS) / NS_PER_S)

    def stamp_sent_at(self) -> int:
        now_ns = self._clock()
        if now_ns <= self._latest_ns:
            self.left_ns = now_ns
        return self.sent_ns

    @property
    def sent_ns(self) -> int:
        """When it was sent, or should have been."""
        return self._due_ns if self.left_ns is None else self.left_ns


class Retry:
    """A further attempt: sent at once, with the first ``sent_at``."""

    def __init__(self, sent_ns: int) -> None:
        self._sent_ns = sent_ns

    def wait(self) -> None:
        """Nothing to wait for."""

    def stamp_sent_at(self) -> int:
        return self._sent_ns


class MessageBody:
    """The JSON of a message, as the body of a request; its time is filled in at the moment of sending."""

    def __init__(self, run: str, number: int, attempt: Attempt, clock: Clock) -> None:
        self._clock = clock
        self._head = f'{{"run":"{run}","number":{number},"sent_at":"'
        self.attempt = attempt
        self.left_s = 0.0
        """When it was sent, by time.perf_counter."""
        self.left_ns = 0
        """When it was sent, by the clock."""
        self.sent_ns = 0
        """The ``sent_at`` that it was sent with."""

    def __len__(self) -> int:
        return len(self._head) + _TIME_LENGTH + len('"}')

    def __iter__(self) -> Iterator[bytes]:  # requests accepts an iterable as a body
        yield self.encode()

    def encode(self) -> bytes:
        """Its bytes, with the time of this moment."""
        self.left_s = time.perf_counter()
        self.left_ns = self._clock()
        self.sent_ns = self.attempt.stamp_sent_at()
        return f'{self._head}{to_rfc3339(self.sent_ns)}"}}'.encode()
