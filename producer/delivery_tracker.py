"""What became of each message, and those that must be tried again: bounded, oldest first."""

import heapq
import logging
import threading

from pipeline.message import Message
from producer import metrics
from producer.gateway_client import Disposition, Outcome, explanation

CAPACITY = 100_000
"""Messages: a little under three hours without a gateway at ten a second, some 30 MB."""

log = logging.getLogger(__name__)

_FINAL = frozenset({Disposition.ACKNOWLEDGED, Disposition.REJECTED})


class DeliveryTracker:
    """Follows every message from its burst until it is acknowledged or rejected. Thread-safe.

    Capacity is reserved for each message before its burst begins and released when its delivery ends, so
    in-flight messages count too, and a message that must be tried again always finds room here.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._pending = 0
        self._deferred: list[tuple[int, Message]] = []
        self._failing: Outcome | None = None
        self._foreign = False

    @property
    def pending(self) -> int:
        """Messages that are neither acknowledged nor rejected: in flight, or to be tried again."""
        with self._changed:
            return self._pending

    @property
    def healthy(self) -> bool:
        """Whether the gateway accepted the message that was answered last, or none was tried yet."""
        return self._failing is None

    @property
    def reason(self) -> str:
        """Why it is not healthy; empty where it is."""
        failing = self._failing
        return explanation(failing) if failing else ""

    def reserve(self, count: int) -> bool:
        """Reserve capacity for ``count`` more messages; False where there is not enough."""
        with self._changed:
            if self._pending + count > self._capacity:
                return False
            self._pending += count
            return True

    def defer(self, message: Message) -> None:
        """Keep a message, for which capacity is reserved, until a retry sender sends it."""
        with self._changed:
            heapq.heappush(self._deferred, (message.number, message))
            metrics.BACKLOG.inc()
            self._changed.notify_all()

    def next_deferred(self, timeout_s: float | None = None) -> Message | None:
        """The oldest deferred message, once there is one; None where there is none in ``timeout_s``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._deferred, timeout_s):
                return None
            return heapq.heappop(self._deferred)[1]

    def record(
        self, message: Message, outcome: Outcome, *, deferred: bool = False, first_attempt: bool = False
    ) -> bool:
        """Whether the delivery of ``message`` has ended.

        Args:
            message: the message that was sent.
            outcome: how the attempt ended.
            deferred: it came from ``next_deferred``.
            first_attempt: it was never sent before, so only another sender can have caused a duplicate.
        """
        if outcome.disposition not in _FINAL:
            metrics.FAILURES.labels(outcome.cause).inc()
            self._log_failure(outcome)
            return False
        if outcome.disposition is Disposition.ACKNOWLEDGED:
            metrics.ACKNOWLEDGED.inc()
            metrics.DUPLICATES.inc(outcome.duplicate)
            if outcome.duplicate and first_attempt:
                self._log_foreign(message)
            self._log_recovery()
        else:
            metrics.REJECTED.inc()
            log.error("rejected, and dropped: %s", outcome.detail, extra=_name(message, outcome))
            self._set_failing(outcome)
        self.release(deferred=deferred)
        return True

    def release(self, *, deferred: bool = False) -> None:
        """A delivery has ended: free its capacity. ``deferred``: it came from ``next_deferred``."""
        with self._changed:
            self._pending -= 1
            if deferred:
                metrics.BACKLOG.dec()
            self._changed.notify_all()

    def wait_until_delivered(self, timeout_s: float) -> bool:
        """Whether no message is pending, at the latest in ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout_s)

    def _log_foreign(self, message: Message) -> None:
        """Log once that another sender uses this run; each message is counted."""
        metrics.FOREIGN.inc()
        with self._changed:
            new, self._foreign = not self._foreign, True
        if new:
            log.error(
                "another sender has sent messages of this run: what it sent is stored instead",
                extra={"run": message.run, "number": message.number},
            )

    def _log_failure(self, outcome: Outcome) -> None:
        """Log a failure once, not with each attempt."""
        if self._set_failing(outcome):
            level = logging.ERROR if outcome.disposition is Disposition.RETRY_SLOW else logging.WARNING
            text = f"{explanation(outcome)}: {outcome.detail}"
            log.log(level, "%s", text, extra={"status": outcome.cause})

    def _set_failing(self, outcome: Outcome) -> bool:
        """Whether it is another failure than that before."""
        with self._changed:
            before, self._failing = self._failing, outcome
        return before is None or before.cause != outcome.cause

    def _log_recovery(self) -> None:
        if self._failing is None:
            return
        with self._changed:
            failing, self._failing = self._failing, None
        if failing:
            log.info("the gateway accepts messages", extra={"pending": self.pending})


def _name(message: Message, outcome: Outcome) -> dict[str, object]:
    return {"run": message.run, "number": message.number, "status": outcome.cause}
