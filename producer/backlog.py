"""Messages that could not leave, or whose try failed: kept until one succeeds, oldest first."""

import heapq
import threading

from pipeline.message import Message
from producer import metrics

LIMIT = 100_000
"""Messages: a little under three hours without a gateway at ten a second, some 30 MB."""


class Backlog:
    """A bounded store of messages in memory. Thread-safe.

    A place is reserved for each message before its burst begins, so a message always finds room here,
    and is free again once the message is settled, so a sender's message in hand counts too.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._reserved = 0
        self._waiting: list[tuple[int, Message]] = []

    @property
    def unsettled(self) -> int:
        """Messages that are on their way or wait here: neither acknowledged nor rejected."""
        with self._changed:
            return self._reserved

    def reserve(self, count: int) -> bool:
        """Whether there was room for ``count`` more messages, which is now theirs."""
        with self._changed:
            if self._reserved + count > self._limit:
                return False
            self._reserved += count
            return True

    def put(self, message: Message) -> None:
        """Keep a message that has its place until a sender takes it."""
        with self._changed:
            heapq.heappush(self._waiting, (message.number, message))
            metrics.BACKLOG.inc()
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> Message | None:
        """The oldest message, once there is one; None where there was none in ``timeout_s``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, timeout_s):
                return None
            return heapq.heappop(self._waiting)[1]

    def settle(self, *, taken: bool) -> None:
        """A message was acknowledged or rejected: free its place. ``taken``: it had come out of here."""
        with self._changed:
            self._reserved -= 1
            if taken:
                metrics.BACKLOG.dec()
            self._changed.notify_all()

    def wait_settled(self, timeout_s: float) -> bool:
        """Whether every message is settled, at the latest in ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._reserved == 0, timeout_s)
