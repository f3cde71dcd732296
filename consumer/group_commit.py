"""Group commit without a timer: calls that wait while a batch is being committed form the next batch.

The idea is that of databases' write-ahead logs (DeWitt et al., "Implementation Techniques for Main
Memory Database Systems", 1984). The waiting threads run the batches themselves: the first one in the queue
runs its batch, so an idle system needs no switch to another thread.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchAborted(Exception):
    """The thread that ran the batch was ended; whether the batch was committed is not known."""


class _Future(Generic[Item, Result]):
    """The outcome of one item, for the thread that submitted it."""

    __slots__ = ("batch", "deadline_s", "exception", "item", "ready", "result")

    def __init__(self, item: Item, deadline_s: float) -> None:
        self.item = item
        self.deadline_s = deadline_s
        self.batch: list[_Future[Item, Result]] = []  # for its thread to run
        self.ready = threading.Event()  # there is a batch to run, a result or an exception
        self.result: Result | None = None
        self.exception: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Turns single calls from many threads into calls of ``flush`` for many items, one at a time.

    Args:
        flush: commits a batch; returns one result per item, in order. What it raises, all its callers get.
        weight_of: the weight of an item, such as its number of messages.
        limit: maximum weight of a batch; a single item may be heavier.
        monotonic_s: the clock of deadlines.

    An item whose deadline has passed before its batch starts is left out of it.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        weight_of: Callable[[Item], int],
        limit: int,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flush = flush
        self._weight_of = weight_of
        self._limit = limit
        self._monotonic_s = monotonic_s
        self._running = False
        self._lock = threading.Lock()
        self._waiting: deque[_Future[Item, Result]] = deque()

    @property
    def waiting(self) -> int:
        """How many items wait for a batch."""
        return len(self._waiting)

    @property
    def running(self) -> bool:
        """Whether a batch is being committed."""
        return self._running

    def submit(self, item: Item, timeout_s: float) -> Result:
        """The result of ``item``, once its batch is committed.

        Raises:
            TimeoutError: not committed within ``timeout_s``; a batch that had started by then may still be.
            BatchAborted: another caller's thread, which ran the batch, was ended.
            Exception: what ``flush`` raised for the batch.
        """
        future: _Future[Item, Result] = _Future(item, self._monotonic_s() + timeout_s)
        with self._lock:
            self._waiting.append(future)
            self._start_next()
        if not future.ready.wait(timeout_s):
            self._cancel(future)
        if future.batch:
            self._run_batch(future.batch)
        if future.exception:
            raise future.exception
        return future.result  # type: ignore[return-value]  # set wherever exception is not

    def _start_next(self) -> None:
        """If no batch is running, let the first waiting thread run the next one. Needs the lock."""
        if self._waiting and not self._running:
            self._running = True
            first = self._waiting[0]
            first.batch = self._next_batch()
            first.ready.set()

    def _next_batch(self) -> list[_Future[Item, Result]]:
        """The first item and those after it, up to the limit."""
        batch = [self._waiting.popleft()]
        weight = self._weight_of(batch[0].item)
        while self._waiting and weight + self._weight_of(self._waiting[0].item) <= self._limit:
            batch.append(self._waiting.popleft())
            weight += self._weight_of(batch[-1].item)
        return batch

    def _cancel(self, future: _Future[Item, Result]) -> None:
        """Raises TimeoutError, unless the future became ready at the last moment."""
        with self._lock:
            if future.ready.is_set():
                return
            if future in self._waiting:
                self._waiting.remove(future)
        raise TimeoutError("not committed in time")

    def _run_batch(self, batch: Sequence[_Future[Item, Result]]) -> None:
        try:
            self._commit(self._drop_expired(batch))
        finally:
            self._release()
            for future in batch:
                future.ready.set()

    def _drop_expired(self, batch: Sequence[_Future[Item, Result]]) -> list[_Future[Item, Result]]:
        """Those whose callers still wait; a suspended process may have kept them past their deadlines."""
        now_s = self._monotonic_s()
        for future in batch:
            if future.deadline_s <= now_s:
                future.exception = TimeoutError("not started in time")
        return [future for future in batch if not future.exception]

    def _commit(self, batch: Sequence[_Future[Item, Result]]) -> None:
        if not batch:
            return
        try:
            results = self._flush([future.item for future in batch])
            for future, result in zip(batch, results, strict=True):
                future.result = result
        except BaseException as error:
            for_all = error if isinstance(error, Exception) else BatchAborted(repr(error))
            for future in batch:
                future.exception = for_all
            if for_all is not error:  # such as SystemExit: it ends this thread alone
                raise

    def _release(self) -> None:
        """The batch has ended: start the next one, if calls wait."""
        with self._lock:
            self._running = False
            self._start_next()
