"""The border between Flask, which calls and waits, and the event loop, which must never wait.

A WSGI call runs in a greenlet of its own. Where it has to wait it switches back to the loop and hands over
what it waits for; the loop awaits that and switches into the greenlet again. So a request that waits costs
no thread. Everything runs in the loop's thread: between two waits nothing else does.
"""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns; it may call ``wait``. Raises what it raises."""
    call = greenlet(function)
    outcome = call.switch(*args, **kwargs)
    while not call.dead:
        try:
            result = await outcome
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it, cancelling included
            outcome = call.throw(error)
        else:
            outcome = call.switch(result)
    return cast("T", outcome)


def wait(awaitable: Awaitable[T]) -> T:
    """The result of ``awaitable``, for code that runs in ``run``. Raises what it raises."""
    loop = getcurrent().parent
    if loop is None:
        raise RuntimeError("wait() was called outside of run()")
    return cast("T", loop.switch(awaitable))
