"""Lets blocking code wait on the event loop, without a thread.

Each request runs in a greenlet, in the loop's thread, and so does each call to the consumer. To wait, it
switches to the loop, which switches back once the result is there. Between two waits nothing else runs.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")

MAX_IDLE = 256
"""Greenlets that a thread keeps for reuse: for each new one Python maps memory, which costs 20 µs."""


class _Idle(threading.local):
    """The greenlets of a thread that have nothing to run."""

    def __init__(self) -> None:
        self.greenlets: list[greenlet] = []


_idle = _Idle()


def start(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call ``function``; returns when it ends, or waits for the first time. It must not raise."""
    idle = _idle.greenlets
    runner = idle.pop() if idle else greenlet(_run_each)
    runner.parent = getcurrent()
    runner.switch(function, args, kwargs)
    if not (runner.dead or (idle and idle[-1] is runner)):
        runner.parent = _loop()  # it waits for the loop from now on, whoever started it


def wait(awaitable: Awaitable[T]) -> T:
    """The result of ``awaitable``, for code that ``start`` called. Raises what it raises."""
    waiting = getcurrent()
    if waiting.parent is None:
        raise RuntimeError("wait() was called outside of start()")
    future = asyncio.ensure_future(awaitable)
    future.add_done_callback(waiting.switch)
    waiting.parent.switch()
    return future.result()


def _run_each(*call: Any) -> None:
    """Run each call that this greenlet is switched to with."""
    runner, idle = getcurrent(), _idle.greenlets
    while True:
        function, args, kwargs = call
        function(*args, **kwargs)
        if len(idle) == MAX_IDLE or runner.parent is None:
            return
        del function, args, kwargs
        idle.append(runner)
        call = runner.parent.switch()


def _loop() -> greenlet:
    """The thread's first greenlet, in which the loop runs."""
    current = getcurrent()
    while current.parent is not None:
        current = current.parent
    return current
