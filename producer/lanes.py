"""Sends bursts on time: each lane is a thread with a kept-alive connection of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.message import Message
from producer import metrics
from producer.burst import Burst, Slot
from producer.departure import First
from producer.ledger import Ledger
from producer.post import Post

LANES = 64
"""At most; a burst has no use for more lanes than messages."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How a burst lies around its deadline."""

    lead_ns: int
    """It is played so long before."""
    span_ns: int
    """Its messages must leave within this time after."""


class Lanes:
    """Plays bursts. What no lane can send within their span goes to the backlog, with its due time.

    Args:
        run: the name of the producer's run.
        connect: makes a lane's connection.
    """

    def __init__(
        self,
        run: str,
        ledger: Ledger,
        connect: Callable[[], Post],
        *,
        timing: Timing,
        clock: Clock = time.time_ns,
    ) -> None:
        self._run = run
        self._ledger = ledger
        self._connect = connect
        self._timing = timing
        self._clock = clock
        self._added = threading.Condition()
        self._slots: deque[Slot] = deque()

    def start(self, count: int) -> None:
        """Start ``count`` lanes; they end with the process."""
        for index in range(count):
            threading.Thread(target=self._serve, name=f"lane-{index}", daemon=True).start()

    def play(self, burst: Burst) -> None:
        """Send the messages of ``burst``, each when it is due; returns at once."""
        with self._added:
            self._slots.extend(burst.slots())
            self._added.notify_all()

    def sweep(self) -> None:
        """Hand to the backlog what found no free lane in time."""
        now_ns = self._clock()
        with self._added:
            overdue: list[Slot] = []
            while self._slots and self._is_overdue(self._slots[0], now_ns):
                overdue.append(self._slots.popleft())
        for slot in overdue:
            self._postpone(slot)

    def send(self, slot: Slot, post: Post) -> None:
        """Send one message when it is due, and wait for the answer."""
        if self._is_overdue(slot, self._clock()):
            self._postpone(slot)
            return
        most_early_ns = self._timing.lead_ns + self._timing.span_ns
        departure = First(slot.due_ns, self._latest_ns(slot), self._clock, most_early_ns=most_early_ns)
        outcome = post.send(slot.number, departure)
        departure.wait()  # no connection: the try ended early, but the message is not due before its time
        slot.burst.note(departure.left_ns)
        metrics.SENT.inc(departure.left_ns is not None)
        message = Message(self._run, slot.number, departure.sent_ns)
        if not self._ledger.book(message, outcome):
            self._ledger.postpone(message)

    def _serve(self) -> None:
        post = self._connect()
        post.warm()
        while True:
            with self._added:
                self._added.wait_for(lambda: self._slots)
                slot = self._slots.popleft()
            self.send(slot, post)

    def _is_overdue(self, slot: Slot, now_ns: int) -> bool:
        return now_ns > self._latest_ns(slot)

    def _latest_ns(self, slot: Slot) -> int:
        return slot.burst.deadline_ns + self._timing.span_ns

    def _postpone(self, slot: Slot) -> None:
        slot.burst.note(None)
        self._ledger.postpone(Message(self._run, slot.number, slot.due_ns))
