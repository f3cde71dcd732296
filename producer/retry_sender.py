"""Sends deferred messages again: threads of their own, so that no burst waits for them."""

import random
import threading
import time
from collections.abc import Callable

from pipeline.message import Message
from producer import metrics
from producer.attempt import Retry
from producer.delivery_tracker import DeliveryTracker
from producer.gateway_client import Disposition, GatewayClient, Outcome

SENDERS = 4

BASE_S = 0.1
MAX_S = 2.0
"""Low, so that the backlog begins to shrink soon after the gateway has recovered."""

SLOW_S = 10.0
"""Where a setting is wrong, such as the token, which only the user can change, or a clock."""

Uniform = Callable[[float, float], float]


class Backoff:
    """The delays of one sender: exponential with full jitter, and never shorter than the server asked for.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """

    def __init__(self, uniform: Uniform = random.uniform) -> None:
        self._uniform = uniform
        self._ceiling_s = BASE_S

    def delay_s(self, outcome: Outcome) -> float:
        """Seconds to wait after an attempt that failed."""
        if outcome.disposition is Disposition.RETRY_SLOW:
            return self._uniform(SLOW_S / 2, SLOW_S)
        ceiling_s = self._ceiling_s
        self._ceiling_s = min(2 * ceiling_s, MAX_S)
        return max(outcome.retry_after_s, self._uniform(0.0, ceiling_s))

    def reset(self) -> None:
        """An attempt succeeded."""
        self._ceiling_s = BASE_S


class RetrySender:
    """Sends what the tracker has deferred, each message until its delivery ends."""

    def __init__(self, tracker: DeliveryTracker, connect: Callable[[], GatewayClient]) -> None:
        self._tracker = tracker
        self._connect = connect

    def start(self, count: int = SENDERS) -> None:
        """Start ``count`` threads; they end with the process."""
        for index in range(count):
            threading.Thread(target=self._run, name=f"retry-{index}", daemon=True).start()

    def deliver(
        self,
        message: Message,
        client: GatewayClient,
        backoff: Backoff,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Try until the delivery of ``message`` ends. There is no limit: its capacity stays reserved."""
        while True:
            metrics.RETRIES.inc()
            outcome = client.send(message.number, Retry(message.sent_ns))
            if self._tracker.record(message, outcome, deferred=True):
                backoff.reset()
                return
            sleep(backoff.delay_s(outcome))

    def _run(self) -> None:
        client, backoff = self._connect(), Backoff()
        while True:
            message = self._tracker.next_deferred()
            if message:
                self.deliver(message, client, backoff)
