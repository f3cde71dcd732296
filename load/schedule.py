"""When each request is due: an open loop, so a slow system does not slow the load down."""

import math
from dataclasses import dataclass

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """``rate`` messages a second for ``seconds``, ``batch`` of them a request. Times count from the start."""

    rate: float
    seconds: float
    batch: int = 1

    @property
    def messages(self) -> int:
        """Messages in all."""
        return max(1, round(self.rate * self.seconds))

    @property
    def requests(self) -> int:
        """Requests in all; the last may carry fewer messages."""
        return -(-self.messages // self.batch)

    def due_ns(self, request: int) -> int:
        """When a request is due."""
        return round(request * self.batch / self.rate * NS_PER_S)

    def next_after(self, passed_ns: int) -> int:
        """The first request that is due later than ``passed_ns``."""
        request = max(0, math.floor(passed_ns / NS_PER_S * self.rate / self.batch))
        while self.due_ns(request) <= passed_ns:
            request += 1
        return request

    def numbers(self, request: int) -> range:
        """The numbers of the messages in a request."""
        first = request * self.batch
        return range(first, min(first + self.batch, self.messages))
