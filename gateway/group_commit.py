"""Group commit on an event loop: items that wait while calls are in flight form the next call."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.greenlets import start

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class InFlight:
    """Maximum number of calls in flight."""

    burst: int
    """Initially, each begun at once: the messages of a burst need not wait for each other."""
    steady: int
    """From when several items wait until there is calm: a steady load is faster in larger calls."""
    calm_s: float = 0.05
    """For how long no call is in flight when a steady load has ended."""


class _Entry(Generic[Item, Result]):
    __slots__ = ("done", "item")

    def __init__(self, item: Item, done: "asyncio.Future[Result]") -> None:
        self.item = item
        self.done = done


class GroupCommit(Generic[Item, Result]):
    """Turns single items into calls of ``flush`` for many. For one event loop.

    Args:
        flush: makes a call, and may wait; returns a result or an error per item, in order. If it raises, all
            items get the error.
        weight_of: the weight of an item, such as its number of messages.
        limit: maximum weight of a call; a single item may be heavier.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        weight_of: Callable[[Item], int],
        limit: int,
        in_flight: InFlight,
    ) -> None:
        self._flush = flush
        self._weight_of = weight_of
        self._limit = limit
        self._policy = in_flight
        self._steady = False
        self._calls = 0
        self._last_call_s = float("-inf")  # when one ended
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._start_scheduled = False
        self.waiting_weight = 0
        """Total weight of the items that are in no call yet."""

    def submit(self, item: Item) -> "asyncio.Future[Result]":
        """A future for the result of ``item``. If cancelled before its call starts, the item is left out."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._waiting.append(_Entry(item, done))
        self.waiting_weight += self._weight_of(item)
        if self._steady and not self._calls and loop.time() - self._last_call_s > self._policy.calm_s:
            self._steady = False
        if self._steady:
            self._start_soon()  # what is submitted in the same iteration of the loop shares a call
        else:
            self._start()
        return done

    def _start_soon(self) -> None:
        if not self._start_scheduled:
            self._start_scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._start_scheduled = False
        max_in_flight = self._policy.steady if self._steady else self._policy.burst
        while self._calls < max_in_flight and (batch := self._next_batch()):
            self._calls += 1
            start(self._call, batch)

    def _next_batch(self) -> list[_Entry[Item, Result]]:
        """The first items, up to the limit, without the cancelled ones."""
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

    def _call(self, batch: Sequence[_Entry[Item, Result]]) -> None:
        try:
            results: Sequence[Result | Exception] = self._flush([entry.item for entry in batch])
        except asyncio.CancelledError:  # the channel was closed
            for entry in batch:
                entry.done.cancel()
            results = [TimeoutError()] * len(batch)
        except Exception as error:  # noqa: BLE001 - every waiting item gets it
            results = [error] * len(batch)
        self._on_call_done()
        for entry, result in zip(batch, results, strict=True):
            if entry.done.done():
                continue
            if isinstance(result, Exception):
                entry.done.set_exception(result)
            else:
                entry.done.set_result(result)

    def _on_call_done(self) -> None:
        """Start the next call before the requests of this one continue. Not from here: a call that starts
        another would keep its frames, until Python allows no more of them."""
        self._calls -= 1
        self._last_call_s = asyncio.get_running_loop().time()
        self._steady = self._steady or len(self._waiting) > 1
        self._start_soon()
