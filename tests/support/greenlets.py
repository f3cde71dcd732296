"""Runs code that waits with ``gateway.greenlets``, for coroutines."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gateway.greenlets import start

P = ParamSpec("P")
T = TypeVar("T")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns. Raises what it raises."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def call() -> None:
        try:
            done.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            done.set_exception(error)

    start(call)
    return await done
