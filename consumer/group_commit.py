"""Group commit without a timer: what waits while one batch is done makes up the next.

The idea is that of databases' write-ahead logs (DeWitt et al., "Implementation Techniques for Main
Memory Database Systems", 1984). Here the waiting threads do the work themselves: the one at the head
leads its batch, so an idle system adds no hand-over between threads.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchAborted(Exception):
    """The thread that did the batch was cut off; what became of the batch is not known."""


class _Ticket(Generic[Item, Result]):
    __slots__ = ("batch", "deadline_s", "error", "item", "result", "woken")

    def __init__(self, item: Item, deadline_s: float) -> None:
        self.item = item
        self.deadline_s = deadline_s
        self.batch: list[_Ticket[Item, Result]] = []  # what it is to do, where it leads
        self.woken = threading.Event()
        self.result: Result | None = None
        self.error: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Turns single calls from many threads into calls of ``flush`` for many items.

    Args:
        flush: does a batch; returns one result an item, in order. What it raises, all its callers get.
        weigh: the weight of an item, such as its number of messages.
        limit: the weight of a batch at most; a single item may be heavier.
        lanes: how many batches may be under way at a time.
        crowded_lanes: how many, from when calls had to wait for each other until all is quiet again. Many
            lanes give a burst its shortest way, few give a steady load larger batches.
        monotonic_s: the clock of deadlines.

    An item whose time has passed before its batch is begun is left out of it.
    """

    def __init__(  # noqa: PLR0913 - all but the first have a name at each call
        self,
        flush: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        weigh: Callable[[Item], int],
        limit: int,
        lanes: int = 1,
        crowded_lanes: int = 0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flush = flush
        self._weigh = weigh
        self._limit = limit
        self._monotonic_s = monotonic_s
        self._most_lanes = lanes
        self._crowded_lanes = crowded_lanes or lanes
        self._lanes = lanes
        self._busy_lanes = 0
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[Item, Result]] = deque()

    def submit(self, item: Item, timeout_s: float) -> Result:
        """The result of ``item``, once its batch is done.

        Raises:
            TimeoutError: it was not done in ``timeout_s``; a batch that had begun by then may still do it.
            BatchAborted: another caller's thread, which did the batch, was cut off.
            Exception: what ``flush`` raised for the batch.
        """
        ticket: _Ticket[Item, Result] = _Ticket(item, self._monotonic_s() + timeout_s)
        with self._lock:
            self._waiting.append(ticket)
            self._start()
        if not ticket.woken.wait(timeout_s):
            self._give_up(ticket)
        if ticket.batch:
            self._lead(ticket.batch)
        if ticket.error:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # set wherever error is not

    def _start(self) -> None:
        """Where a lane is free, let the one at the head lead; what waits now is its batch. Needs the lock."""
        if self._waiting and self._busy_lanes < self._lanes:
            self._busy_lanes += 1
            head = self._waiting[0]
            head.batch = self._take()
            head.woken.set()

    def _give_up(self, ticket: _Ticket[Item, Result]) -> None:
        with self._lock:
            if ticket.woken.is_set():  # at the last moment
                return
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        raise TimeoutError("not done in time")

    def _lead(self, batch: Sequence[_Ticket[Item, Result]]) -> None:
        try:
            self._do(self._in_time(batch))
        finally:
            self._hand_on()
            for ticket in batch:
                ticket.woken.set()

    def _in_time(self, batch: Sequence[_Ticket[Item, Result]]) -> list[_Ticket[Item, Result]]:
        """Those that somebody still waits for; a frozen process may have held them for long."""
        now_s = self._monotonic_s()
        for ticket in batch:
            if ticket.deadline_s <= now_s:
                ticket.error = TimeoutError("not begun in time")
        return [ticket for ticket in batch if not ticket.error]

    def _do(self, batch: Sequence[_Ticket[Item, Result]]) -> None:
        if not batch:
            return
        try:
            results = self._flush([ticket.item for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result
        except BaseException as error:
            told = error if isinstance(error, Exception) else BatchAborted(repr(error))
            for ticket in batch:
                ticket.error = told
            if told is not error:  # such as SystemExit: for this thread alone
                raise

    def _take(self) -> list[_Ticket[Item, Result]]:
        """The head and those behind it, as far as the limit goes."""
        batch = [self._waiting.popleft()]
        weight = self._weigh(batch[0].item)
        while self._waiting and weight + self._weigh(self._waiting[0].item) <= self._limit:
            batch.append(self._waiting.popleft())
            weight += self._weigh(batch[-1].item)
        return batch

    def _hand_on(self) -> None:
        with self._lock:
            self._busy_lanes -= 1
            if len(self._waiting) > 1:
                self._lanes = self._crowded_lanes
            self._start()
            if not self._busy_lanes:
                self._lanes = self._most_lanes
