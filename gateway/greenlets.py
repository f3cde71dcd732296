"""Lets blocking code wait on the event loop, without a thread.

Each request runs in a greenlet, in the loop's thread, and so does each call to the consumer. To wait, it
switches to the loop, which switches back once the result is there. Between two waits nothing else runs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


def start(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call ``function``; returns when it ends, or waits for the first time. It must not raise."""
    started = greenlet(function)
    started.switch(*args, **kwargs)
    if not started.dead:
        started.parent = _loop()  # it waits for the loop from now on, whoever started it


def wait(awaitable: Awaitable[T]) -> T:
    """The result of ``awaitable``, for code that ``start`` called. Raises what it raises."""
    waiting = getcurrent()
    if waiting.parent is None:
        raise RuntimeError("wait() was called outside of start()")
    future = asyncio.ensure_future(awaitable)
    future.add_done_callback(waiting.switch)
    waiting.parent.switch()
    return future.result()


def _loop() -> greenlet:
    """The thread's first greenlet, in which the loop runs."""
    current = getcurrent()
    while current.parent is not None:
        current = current.parent
    return current
