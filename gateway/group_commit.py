"""Group commit on an event loop: what waits while calls are under way makes up the next call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many calls may be under way at a time."""

    burst: int
    """At first: the messages of a burst need not wait for each other."""
    steady: int
    """From when items had to wait together until all is quiet: a steady load is faster in larger calls."""


class _Entry(Generic[Item, Result]):
    __slots__ = ("done", "item")

    def __init__(self, item: Item, done: "asyncio.Future[Result]") -> None:
        self.item = item
        self.done = done


class GroupCommit(Generic[Item, Result]):
    """Turns single items into calls of ``flush`` for many. For one event loop.

    Args:
        flush: does a call; returns a result or an error for each item, in order. What it raises all get.
        weight_of: the weight of an item, such as its number of messages.
        limit: the weight of a call at most; a single item may be heavier.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        weight_of: Callable[[Item], int],
        limit: int,
        in_flight: InFlight,
    ) -> None:
        self._flush = flush
        self._weight_of = weight_of
        self._limit = limit
        self._policy = in_flight
        self._allowed = in_flight.burst
        self._calls: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._start_is_due = False
        self.waiting_weight = 0
        """Of the items that no call has taken yet."""

    def submit(self, item: Item) -> "asyncio.Future[Result]":
        """A future of the result of ``item``. Cancelled before a call took it, it is in no call."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._waiting.append(_Entry(item, done))
        self.waiting_weight += self._weight_of(item)
        if not self._start_is_due:  # what else arrives in this turn of the loop goes along
            self._start_is_due = True
            loop.call_soon(self._start)
        return done

    def _start(self) -> None:
        self._start_is_due = False
        while len(self._calls) < self._allowed and (batch := self._take()):
            call = asyncio.get_running_loop().create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _take(self) -> list[_Entry[Item, Result]]:
        """Those at the head, as far as the limit goes, without those that nobody waits for any more."""
        batch: list[_Entry[Item, Result]] = []
        weight = 0
        while self._waiting:
            entry = self._waiting[0]
            more = self._weight_of(entry.item)
            if batch and not entry.done.done() and weight + more > self._limit:
                break
            self._waiting.popleft()
            self.waiting_weight -= more
            if not entry.done.done():
                batch.append(entry)
                weight += more
        return batch

    async def _call(self, batch: Sequence[_Entry[Item, Result]]) -> None:
        try:
            results: Sequence[Result | Exception] = await self._flush([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001 - every waiting item gets it
            results = [error] * len(batch)
        for entry, result in zip(batch, results, strict=True):
            if entry.done.done():
                continue
            if isinstance(result, Exception):
                entry.done.set_exception(result)
            else:
                entry.done.set_result(result)

    def _ended(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        if len(self._waiting) > 1:
            self._allowed = self._policy.steady
        self._start()
        if not self._calls:
            self._allowed = self._policy.burst
