"""The message after its first check, and its timestamps along the way.

Messages and arrivals are msgspec's structures: one is made in a fifth of a frozen dataclass's time.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct

MAX_NUMBER = 2**53 - 1
"""Largest number that every JSON parser keeps exactly (RFC 8259, section 6)."""

MAX_BATCH = 1_000
"""Maximum messages per request."""

MIN_SENT_NS = 0
MAX_SENT_NS = 7_258_118_400 * 10**9 - 1
MAX_AHEAD_NS = 24 * 3_600 * 10**9
"""The gateway refuses a ``sent_at`` that is further ahead of its clock: no clock error is as large."""
"""The years 1970 to 2199: both databases store nanoseconds as signed 64-bit integers."""

DEFAULT_RUN = "manual"
RUN_PATTERN = "[A-Za-z0-9._:-]{1,64}"


class Message(Struct, frozen=True, gc=False):
    """One message, named by (``run``, ``number``). All times are Unix nanoseconds."""

    run: str
    number: int
    sent_ns: int
    """The sender's clock when the request was first sent."""
    gateway_ns: int | None = None
    """The gateway's clock when it received the request; None if a client called the consumer directly."""


class Arrival(Struct, frozen=True, gc=False):
    """A message and the time it reached the consumer, unique and rising per consumer tag."""

    message: Message
    arrived_ns: int

    @property
    def transmission_ns(self) -> int:
        """Arrival minus sent; negative if the two clocks differ."""
        return self.arrived_ns - self.message.sent_ns


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are stored together: what one job of the queue carries."""

    id: str
    """The job's id; writing a batch of the same id again changes nothing."""
    consumer: str
    worker: str
    queued_ns: int
    taken_ns: int
    arrivals: tuple[Arrival, ...]

    def by_run(self) -> dict[str, list[Arrival]]:
        """The arrivals of each run, in their order."""
        runs: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            runs[arrival.message.run].append(arrival)
        return runs


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How far the clock of a run's sender is from the consumer's, as the sender estimates it."""

    run: str
    offset_ns: int
    """The consumer's clock minus the sender's."""
    error_ns: int
    """Maximum error of ``offset_ns``."""


class InvalidMessage(ValueError):
    """A field of a message is invalid."""


@lru_cache(maxsize=1_000)
def check_run(run: str) -> str:
    """Return ``run`` as it is. Raises InvalidMessage."""
    if not re.fullmatch(RUN_PATTERN, run):
        raise InvalidMessage("run must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    return run


def check(message: Message) -> Message:
    """Return ``message`` as it is.

    Raises:
        InvalidMessage: its run, number or a time is not allowed.
    """
    check_run(message.run)
    if not 0 <= message.number <= MAX_NUMBER:
        raise InvalidMessage(f"number must be from 0 to {MAX_NUMBER}")
    if not MIN_SENT_NS <= message.sent_ns <= MAX_SENT_NS:
        raise InvalidMessage("sent_ns must be in the years 1970 to 2199")
    if message.gateway_ns is not None and not MIN_SENT_NS <= message.gateway_ns <= MAX_SENT_NS:
        raise InvalidMessage("gateway_ns must be in the years 1970 to 2199")
    return message
