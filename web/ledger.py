"""The balance of all messages: accepted = stored + waiting + failed.

Redis is read first, then the store's totals. In between a worker may store a message that Redis counted as
waiting, or one that Redis had not counted as accepted yet. So a reading may count messages twice, and never
leaves one out: a message that neither of them has is missing, while one too many need not be. For the same
reason a reading without a difference proves nothing while messages are being stored: those that were counted
twice may hide those that are missing. A reading of Redis after the store's leaves none of these out.
"""

from collections import deque
from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.queue.ledger import QueueLedger, RunLedger
from pipeline.store import RunFigures

LASTING_NS = 14 * NS_PER_S
"""A difference that readings show for this long has existed for 15 s: it began up to a second before the
first of them."""

MIN_READINGS = 5
"""Fewer readings than this never raise the alarm, however far apart they are."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Where messages are. None: not known at the moment."""

    accepted: int | None
    stored: int | None
    waiting: int | None
    failed: int | None

    @property
    def unaccounted(self) -> int | None:
        """Accepted and in none of the places; negative if more are stored than were accepted."""
        if self.accepted is None or self.stored is None or self.waiting is None or self.failed is None:
            return None
        return self.accepted - self.stored - self.waiting - self.failed


UNKNOWN = Balance(None, None, None, None)


def balance(accepted: int | None, waiting: int, failed: int, stored: int, *, surplus: int = 0) -> Balance:
    """One balance from a reading of Redis and a later one of the store.

    What the later reading counts a second time is subtracted from ``waiting``, and what it counts before
    Redis did is added to ``accepted``, except ``surplus``: messages known to be stored and not accepted.
    """
    if accepted is None:
        return Balance(None, stored, waiting, failed)
    twice = max(0, stored + waiting + failed - accepted - surplus)
    from_waiting = min(twice, waiting)
    return Balance(accepted + twice - from_waiting, stored, waiting - from_waiting, failed)


def run_balance(entry: RunLedger | None, figures: RunFigures | None) -> Balance:
    """The balance of one run, of its entry in Redis and its later figures in the store."""
    stored = figures.stored if figures else 0
    if entry is None:
        return Balance(None, stored, None, None)
    return balance(_covered(entry, figures), entry.waiting, entry.failed, stored)


def _covered(entry: RunLedger, figures: RunFigures | None) -> int | None:
    """How many messages of the run were accepted; None where the entry lacks the run's beginning."""
    if figures is None:
        return entry.accepted
    if entry.first_arrived_ns is None or entry.first_arrived_ns > figures.first_arrived_ns:
        return None
    return entry.accepted


class Reconciler:
    """Pairs readings of Redis and the store, and finds out whether messages are lost, or too many."""

    def __init__(self) -> None:
        self._stored = self._failed = 0  # of the last pair
        self._surplus = 0
        self._lost = False  # whether messages were missing, and it is not known that they were found since
        self.is_in_doubt = False
        """Whether a further reading of Redis decides what the last pair could not. Either more was stored
        than accepted, though no message waited: were they accepted in between? Or no message was missing any
        more: were they found, or hidden by others that were stored in between?"""
        self.difference: int | None = None
        """What is unaccounted for at the last pair; None where this is not known."""

    def update(self, queue: QueueLedger, stored: int) -> Balance:
        """The balance of two readings, Redis's first."""
        self._stored, self._failed = stored, queue.failed
        excess = 0 if queue.accepted is None else stored + queue.waiting + queue.failed - queue.accepted
        self._surplus = max(0, min(self._surplus, excess))
        found = balance(queue.accepted, queue.waiting, queue.failed, stored, surplus=self._surplus)
        difference = found.unaccounted
        if difference:
            self._lost = difference > 0
        is_hidden = self._lost and difference == 0
        self.is_in_doubt = is_hidden or (excess > 0 and not (queue.waiting or queue.held_jobs))
        self.difference = None if is_hidden else difference
        return found

    def confirm(self, queue: QueueLedger) -> None:
        """A reading of Redis after the last pair: what was stored by then has been counted in it."""
        if queue.accepted is None:
            return
        failed = min(self._failed, queue.failed)
        self._surplus = max(0, self._stored + failed - queue.accepted)
        # What a worker holds may be stored already, and is counted as waiting until it ends the job.
        if not queue.held_jobs and queue.accepted - self._stored - queue.waiting - queue.failed <= 0:
            self._lost = False


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference that lasts."""

    messages: int
    """Positive: accepted and not found. Negative: stored and never accepted."""
    since_ns: int


class DiscrepancyWatch:
    """Distinguishes a difference that lasts from one that two readings at different moments make."""

    def __init__(self) -> None:
        self._since_ns = 0
        self._readings: deque[tuple[int, int]] = deque()  # of one sign, oldest first: moment, difference

    @property
    def began_ns(self) -> int | None:
        """When the present difference was first read, whether or not it has lasted; None without any."""
        return self._since_ns if self._readings else None

    def update(self, at_ns: int, difference: int | None) -> Discrepancy | None:
        """A reading; None: nothing is known, which neither begins nor ends a difference."""
        if difference is not None:
            self._add(at_ns, difference)
        if not self._lasts():
            return None
        smallest = min((value for _, value in self._readings), key=abs)
        return Discrepancy(smallest, self._since_ns)

    def _add(self, at_ns: int, difference: int) -> None:
        if not difference or (self._readings and (self._readings[-1][1] > 0) != (difference > 0)):
            self._readings.clear()
        if difference:
            if not self._readings:
                self._since_ns = at_ns
            self._readings.append((at_ns, difference))
        while len(self._readings) > MIN_READINGS and at_ns - self._readings[1][0] >= LASTING_NS:
            self._readings.popleft()

    def _lasts(self) -> bool:
        """By the readings that show it: the time since the last of them proves nothing."""
        if len(self._readings) < MIN_READINGS:
            return False
        return self._readings[-1][0] - self._readings[0][0] >= LASTING_NS
