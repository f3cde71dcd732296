"""Empties the backlog: senders of their own, so that no burst waits for them."""

import threading
import time
from collections.abc import Callable

from pipeline.message import Message
from producer import metrics
from producer.backlog import Backlog
from producer.backoff import Backoff
from producer.departure import Repeat
from producer.ledger import Ledger
from producer.post import Post

SENDERS = 4


class Drain:
    """Sends what waits in the backlog, each message until it is settled."""

    def __init__(self, backlog: Backlog, ledger: Ledger, connect: Callable[[], Post]) -> None:
        self._backlog = backlog
        self._ledger = ledger
        self._connect = connect

    def start(self, count: int = SENDERS) -> None:
        """Start ``count`` senders; they end with the process."""
        for index in range(count):
            threading.Thread(target=self._serve, name=f"backlog-{index}", daemon=True).start()

    def deliver(
        self, message: Message, post: Post, backoff: Backoff, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Try until ``message`` is settled. There is no limit: it was promised to the backlog's place."""
        while True:
            metrics.RETRIES.inc()
            outcome = post.send(message.number, Repeat(message.sent_ns))
            if self._ledger.book(message, outcome, taken=True):
                backoff.reset()
                return
            sleep(backoff.after(outcome))

    def _serve(self) -> None:
        post, backoff = self._connect(), Backoff()
        while True:
            message = self._backlog.take()
            if message:
                self.deliver(message, post, backoff)
