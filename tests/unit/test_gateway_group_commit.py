"""Group commit on the gateway's event loop."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from gateway.greenlets import wait
from gateway.group_commit import GroupCommit, InFlight
from tests.support import event_loop


class Calls:
    """Calls that end when the test says so."""

    def __init__(self, *, limit: int = 100, burst: int = 1, steady: int = 1, calm_s: float = 0) -> None:
        self.open: list[tuple[list[int], asyncio.Future[None]]] = []
        self.made: list[list[int]] = []
        self.group: GroupCommit[int, str] = GroupCommit(
            self._flush, weight_of=abs, limit=limit, in_flight=InFlight(burst, steady, calm_s)
        )

    def _flush(self, items: Sequence[int]) -> list[str | Exception]:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open.append((list(items), ended))
        self.made.append(list(items))
        wait(ended)
        return [ValueError(str(item)) if item < 0 else str(item) for item in items]

    async def end(self, error: Exception | None = None) -> None:
        """End the oldest open call, and let the loop do what follows."""
        _, ended = self.open.pop(0)
        if error:
            ended.set_exception(error)
        else:
            ended.set_result(None)
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_burst_does_not_wait_even_for_the_loop() -> None:
    async def scenario() -> None:
        calls = Calls(burst=3)
        done = [calls.group.submit(item) for item in (1, 2, 3)]
        assert calls.made == [[1], [2], [3]]
        for _ in done:
            await calls.end()
        assert [future.result() for future in done] == ["1", "2", "3"]

    event_loop.run(scenario())


def test_under_a_steady_load_what_arrives_in_one_turn_of_the_loop_shares_a_call() -> None:
    async def scenario() -> None:
        calls = Calls(burst=2, steady=2)
        for item in (1, 2, 3, 4):
            calls.group.submit(item)
        await calls.end()
        assert calls.made == [[1], [2], [3, 4]]
        await calls.end()
        done = [calls.group.submit(item) for item in (5, 6, 7)]
        await turns()
        assert calls.made == [[1], [2], [3, 4], [5, 6, 7]]
        await calls.end()
        await calls.end()
        assert [future.result() for future in done] == ["5", "6", "7"]

    event_loop.run(scenario())


def test_what_waits_while_a_call_is_under_way_makes_up_the_next() -> None:
    async def scenario() -> None:
        calls = Calls()
        for item in (1, 2, 3):
            calls.group.submit(item)
            await turns()
        assert calls.made == [[1]]
        assert calls.group.waiting_weight == 5
        await calls.end()
        assert calls.made == [[1], [2, 3]]
        assert calls.group.waiting_weight == 0

    event_loop.run(scenario())


def test_a_burst_gets_many_calls_and_a_steady_load_few_until_all_is_quiet() -> None:
    async def scenario() -> None:
        calls = Calls(burst=3, steady=1)
        for item in range(1, 7):
            calls.group.submit(item)
            await turns()
        assert calls.made == [[1], [2], [3]]
        for _ in range(3):
            await calls.end()
        assert calls.made == [[1], [2], [3], [4, 5, 6]]
        for item in (7, 8):
            calls.group.submit(item)
            await turns()
        assert len(calls.open) == 1, "few at a time now"
        await calls.end()
        await calls.end()
        for item in (9, 10):
            calls.group.submit(item)
            await turns()
        assert [items for items, _ in calls.open] == [[9], [10]], "all was quiet: many again"

    event_loop.run(scenario())


def test_a_call_is_no_heavier_than_the_limit_but_for_a_single_item() -> None:
    async def scenario() -> None:
        calls = Calls(limit=10)
        for item in (50, 4, 6, 1):
            calls.group.submit(item)
        for _ in range(3):
            await turns()
            await calls.end()
        assert calls.made == [[50], [4, 6], [1]]

    event_loop.run(scenario())


def test_an_item_may_fail_without_its_neighbours() -> None:
    async def scenario() -> None:
        calls = Calls()
        calls.group.submit(5)
        good, bad = calls.group.submit(1), calls.group.submit(-2)
        await calls.end()
        assert calls.made == [[5], [1, -2]]
        await calls.end()
        assert good.result() == "1"
        with pytest.raises(ValueError, match="-2"):
            bad.result()

    event_loop.run(scenario())


def test_what_a_call_raises_all_its_items_get_and_the_next_call_is_made() -> None:
    async def scenario() -> None:
        calls = Calls()
        calls.group.submit(5)
        first, second = calls.group.submit(1), calls.group.submit(2)
        await calls.end()
        await calls.end(OSError("no"))
        for future in (first, second):
            with pytest.raises(OSError, match="no"):
                future.result()
        third = calls.group.submit(3)
        await turns()
        await calls.end()
        assert third.result() == "3"

    event_loop.run(scenario())


def test_what_nobody_waits_for_any_more_is_in_no_call() -> None:
    async def scenario() -> None:
        calls = Calls()
        calls.group.submit(1)
        await turns()
        given_up, wanted = calls.group.submit(2), calls.group.submit(3)
        given_up.cancel()
        await calls.end()
        assert calls.made == [[1], [3]]
        assert calls.group.waiting_weight == 0
        await calls.end()
        assert wanted.result() == "3"

    event_loop.run(scenario())


def test_a_load_without_a_pause_is_answered_however_long_it_lasts() -> None:
    """Each call starts while another one ends, far more often than Python allows calls within calls."""

    async def scenario() -> None:
        calls = Calls(burst=1, steady=1)
        done = [calls.group.submit(item) for item in (1, 2)]
        for item in range(3, 2 * sys.getrecursionlimit()):
            done.append(calls.group.submit(item))
            _, ended = calls.open.pop(0)
            ended.set_result(None)
            await turns()
        while calls.open:
            await calls.end()
        assert all(future.exception() is None for future in done)
        assert [item for items in calls.made for item in items] == list(range(1, len(done) + 1))

    event_loop.run(scenario())


def test_a_steady_load_goes_on_through_an_instant_without_a_call() -> None:
    async def scenario() -> None:
        calls = Calls(burst=3, steady=1, calm_s=3_600)
        for item in range(1, 7):
            calls.group.submit(item)
        while calls.open:
            await calls.end()
        for item in (7, 8, 9):
            calls.group.submit(item)
        await turns()
        assert [items for items, _ in calls.open] == [[7, 8, 9]]
        await calls.end()

    event_loop.run(scenario())
