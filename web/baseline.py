"""How many messages were accepted before Redis had a ledger: after an upgrade, or with a new Redis."""

from pipeline.queue.ledger import QueueLedger

SAME_READINGS = 3


class BaselineFinder:
    """Finds the number with which the ledger balances.

    A reading may count messages twice (``web.ledger``), so the smallest number that repeats is right.
    """

    def __init__(self) -> None:
        self._smallest: int | None = None  # messages
        self._repeats = 0  # readings that showed it
        self.found: int | None = None
        """The baseline to set; None where there is one, or it is not known yet."""

    def update(self, queue: QueueLedger, stored: int) -> None:
        """A reading of Redis and a later one of the store."""
        if queue.accepted is not None:
            self._smallest, self._repeats, self.found = None, 0, None
            return
        needed = stored + queue.waiting + queue.failed - queue.registered
        if self._smallest is None or needed < self._smallest:
            self._smallest, self._repeats = needed, 0
        if needed == self._smallest and (queue.counted or not queue.waiting):
            self._repeats += 1
        if needed <= 0 or self._repeats >= SAME_READINGS:
            self.found = max(0, self._smallest)
