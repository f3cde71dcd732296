"""Code that calls and waits, on a loop that does not."""

import asyncio
from contextvars import ContextVar

import pytest
from greenlet import getcurrent

from gateway.greenlets import wait
from tests.support import event_loop
from tests.support.greenlets import run


async def soon(value: object) -> object:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


def test_it_returns_what_it_waited_for() -> None:
    assert event_loop.run(run(lambda a, b: (wait(soon(a)), wait(soon(b))), 1, 2)) == (1, 2)


def test_it_need_not_wait() -> None:
    assert event_loop.run(run(str, 7)) == "7"


def test_what_the_awaited_raises_is_raised_where_it_is_waited_for() -> None:
    def call() -> str:
        try:
            wait(soon(ValueError("no")))
        except ValueError as error:
            return f"caught {error}"
        return "nothing"

    assert event_loop.run(run(call)) == "caught no"


def test_what_it_raises_reaches_the_loop() -> None:
    def call() -> None:
        wait(soon(1))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        event_loop.run(run(call))


def test_many_wait_at_once_each_with_a_context_of_its_own() -> None:
    name: ContextVar[int] = ContextVar("name")

    def call(number: int) -> tuple[int, int]:
        name.set(number)
        wait(asyncio.sleep(0.01 * (number % 3)))
        return number, name.get()

    async def together() -> list[tuple[int, int]]:
        return await asyncio.gather(*(run(call, number) for number in range(50)))

    assert event_loop.run(together()) == [(number, number) for number in range(50)]


def test_waiting_outside_says_what_is_wrong() -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="outside"):
        wait(asyncio.Future(loop=loop))
    loop.close()


def test_a_greenlet_is_used_again_once_its_call_has_ended_and_not_before() -> None:
    def call(pause_s: float) -> int:
        if pause_s:
            wait(asyncio.sleep(pause_s))
        return id(getcurrent())

    async def one_after_another() -> set[int]:
        return {await run(call, pause_s) for pause_s in (0, 0.001, 0, 0.001)}

    async def together() -> set[int]:
        return set(await asyncio.gather(*(run(call, 0.001) for _ in range(5))))

    assert len(event_loop.run(one_after_another())) == 1
    assert len(event_loop.run(together())) == 5
