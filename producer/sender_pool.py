"""Sends bursts on time: each sender is a thread with a kept-alive connection of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable

from pipeline.clock import Clock
from pipeline.message import Message
from producer import metrics
from producer.attempt import FirstAttempt
from producer.burst import Burst, BurstTiming, ScheduledMessage
from producer.delivery_tracker import DeliveryTracker
from producer.gateway_client import GatewayClient

MAX_SENDERS = 64
"""A burst has no use for more senders than it has messages."""


class SenderPool:
    """Sends bursts. What no sender can send within their span is deferred, with its due time.

    Args:
        run: the name of the producer's run.
        tracker: gets the outcome of each message, and those that must be tried again.
        connect: makes a sender's connection.
    """

    def __init__(
        self,
        run: str,
        tracker: DeliveryTracker,
        connect: Callable[[], GatewayClient],
        *,
        timing: BurstTiming,
        clock: Clock = time.time_ns,
    ) -> None:
        self._run_name = run
        self._tracker = tracker
        self._connect = connect
        self._timing = timing
        self._clock = clock
        self._added = threading.Condition()
        self._queue: deque[ScheduledMessage] = deque()

    def start(self, count: int) -> None:
        """Start ``count`` senders; they end with the process."""
        for index in range(count):
            threading.Thread(target=self._run, name=f"sender-{index}", daemon=True).start()

    def submit(self, burst: Burst) -> None:
        """Send the messages of ``burst``, each when it is due; returns at once."""
        with self._added:
            self._queue.extend(burst.messages())
            self._added.notify_all()

    def expire_overdue(self) -> None:
        """Defer the messages that found no free sender in time."""
        now_ns = self._clock()
        with self._added:
            overdue: list[ScheduledMessage] = []
            while self._queue and self._is_overdue(self._queue[0], now_ns):
                overdue.append(self._queue.popleft())
        for scheduled in overdue:
            self._defer_unsent(scheduled)

    def send(self, scheduled: ScheduledMessage, client: GatewayClient) -> None:
        """Send one message when it is due, and wait for the response."""
        if self._is_overdue(scheduled, self._clock()):
            self._defer_unsent(scheduled)
            return
        attempt = FirstAttempt(
            scheduled.due_ns,
            self._latest_ns(scheduled),
            self._clock,
            max_early_ns=self._timing.lead_ns + self._timing.span_ns,
        )
        outcome = client.send(scheduled.number, attempt)
        attempt.wait()  # without a connection it ended early; the message is not due before its time
        scheduled.burst.record(attempt.left_ns)
        metrics.SENT.inc(attempt.left_ns is not None)
        message = Message(self._run_name, scheduled.number, attempt.sent_ns)
        if not self._tracker.record(message, outcome, first_attempt=True):
            self._tracker.defer(message)

    def _run(self) -> None:
        client = self._connect()
        client.connect()
        while True:
            with self._added:
                self._added.wait_for(lambda: self._queue)
                scheduled = self._queue.popleft()
            self.send(scheduled, client)

    def _is_overdue(self, scheduled: ScheduledMessage, now_ns: int) -> bool:
        return now_ns > self._latest_ns(scheduled)

    def _latest_ns(self, scheduled: ScheduledMessage) -> int:
        return scheduled.burst.deadline_ns + self._timing.span_ns

    def _defer_unsent(self, scheduled: ScheduledMessage) -> None:
        scheduled.burst.record(None)
        self._tracker.defer(Message(self._run_name, scheduled.number, scheduled.due_ns))
