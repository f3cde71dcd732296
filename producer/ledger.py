"""What became of each message: counted, logged, and its place in the backlog kept or freed."""

import logging
import threading

from pipeline.message import Message
from producer import metrics
from producer.backlog import Backlog
from producer.post import Outcome, Verdict, setting_to_check

log = logging.getLogger(__name__)

_SETTLED = frozenset({Verdict.ACKNOWLEDGED, Verdict.REJECTED})


class Ledger:
    """Books the outcome of every try. Thread-safe."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._lock = threading.Lock()
        self._trouble = ""
        self._foreign = False

    @property
    def healthy(self) -> bool:
        """Whether the gateway took the last message that was tried, or none was tried yet."""
        return not self._trouble

    def postpone(self, message: Message) -> None:
        """Leave ``message`` to the backlog."""
        self._backlog.put(message)

    def book(
        self, message: Message, outcome: Outcome, *, taken: bool = False, first_try: bool = False
    ) -> bool:
        """Whether ``message`` is settled now; ``taken``: it had come out of the backlog.

        ``first_try``: it was never sent before, so nobody but another sender can have made it a repeat.
        """
        if outcome.verdict not in _SETTLED:
            metrics.FAILURES.labels(outcome.cause).inc()
            self._say_trouble(outcome)
            return False
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            metrics.ACKNOWLEDGED.inc()
            metrics.DUPLICATES.inc(outcome.duplicate)
            if outcome.duplicate and first_try:
                self._say_foreign(message)
            self._say_well()
        else:
            metrics.REJECTED.inc()
            log.error("rejected, and dropped: %s", outcome.detail, extra=_name(message, outcome))
        self._backlog.settle(taken=taken)
        return True

    def _say_foreign(self, message: Message) -> None:
        """Say once that somebody else sends under this run; each message is counted."""
        metrics.FOREIGN.inc()
        with self._lock:
            new, self._foreign = not self._foreign, True
        if new:
            log.error(
                "another sender has sent messages of this run: what it sent is stored instead",
                extra={"run": message.run, "number": message.number},
            )

    def _say_trouble(self, outcome: Outcome) -> None:
        """Log a trouble once, not with each of its tries."""
        with self._lock:
            new = outcome.cause != self._trouble
            self._trouble = outcome.cause
        if new and outcome.verdict is Verdict.AGAIN_SLOWLY:
            log.error(
                "the gateway refuses this sender; check %s: %s",
                setting_to_check(outcome),
                outcome.detail,
                extra={"status": outcome.cause},
            )
        elif new:
            log.warning("messages wait: %s", outcome.detail, extra={"status": outcome.cause})

    def _say_well(self) -> None:
        if not self._trouble:
            return
        with self._lock:
            trouble, self._trouble = self._trouble, ""
        if trouble:
            log.info("the gateway takes messages again", extra={"unsettled": self._backlog.unsettled})


def _name(message: Message, outcome: Outcome) -> dict[str, object]:
    return {"run": message.run, "number": message.number, "status": outcome.cause}
