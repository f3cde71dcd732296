"""Runs Flask's blocking code on the event loop.

Each WSGI call runs in its own greenlet. To wait, it switches to the loop and passes it an awaitable; the loop
awaits it and switches back to the greenlet with the result. So a waiting request needs no thread. Everything
runs in the loop's thread: between two waits, nothing else does.
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
        except BaseException as error:  # noqa: BLE001 - passed to the waiting code, cancellation included
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
