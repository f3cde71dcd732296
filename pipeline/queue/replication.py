"""Waits until replicas of Redis have what was just written on disk too (``WAITAOF``, Redis 7.2).

WAITAOF counts for the writes of its own connection, and on a new connection it confirms anything at once. So
it is sent here on the connection that carried the writes, and never after a reconnect.
"""

import time
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

_MS_PER_S = 1_000

WAIT_S = 1.0
"""How long replicas may take: with a commit's own time it is less than the client's timeout of 2 s."""

FIRST_WAIT_S = 0.005
"""A replica that receives a write and the question at once answers before its fsync, and next a second later:
so it is asked again after this time, and after twice the time each time from then on."""


class NotReplicated(RedisError):
    """Too few replicas confirmed in time that they have it on disk. It may have been written all the same."""

    def __init__(self, needed: int, confirmed: int, within_s: float) -> None:
        late = (
            f"{confirmed} of {needed} replicas" if confirmed < needed else "the replicas and not the primary"
        )
        super().__init__(f"{late} confirmed within {within_s:.1f} s that they have it on disk")


def pipeline(
    redis: Redis,
    replicas: int,
    *,
    time_left_s: Callable[[], float] = lambda: WAIT_S,
    transaction: bool = True,
) -> Pipeline:
    """A pipeline of ``redis`` whose ``execute`` returns once ``replicas`` replicas have its writes on disk.

    Args:
        replicas: 0 for a plain pipeline, which costs nothing more.
        time_left_s: asked when the writes are done; the wait ends after it, and after ``WAIT_S`` at most.

    ``execute`` raises NotReplicated where they have not in time, and redis.RedisError.
    """
    if not replicas:
        return redis.pipeline(transaction=transaction)
    return ReplicatedPipeline(redis, replicas, time_left_s, transaction=transaction)


class ReplicatedPipeline(Pipeline):
    """What ``pipeline`` returns where replicas are waited for. ``redis`` must not retry commands."""

    def __init__(
        self, redis: Redis, replicas: int, time_left_s: Callable[[], float], *, transaction: bool
    ) -> None:
        super().__init__(
            redis.connection_pool, redis.response_callbacks, transaction=transaction, shard_hint=None
        )
        self._replicas = replicas
        self._time_left_s = time_left_s

    def _execute_transaction(self, connection: Any, *arguments: Any) -> Any:
        return self._confirmed(connection, super()._execute_transaction, *arguments)

    def _execute_pipeline(self, connection: Any, *arguments: Any) -> Any:
        return self._confirmed(connection, super()._execute_pipeline, *arguments)

    def _confirmed(self, connection: Any, execute: Callable[..., Any], *arguments: Any) -> Any:
        connection.connect()  # where it is not
        socket = connection._sock  # noqa: SLF001 - nothing else shows whether it was reconnected
        answers = execute(connection, *arguments)
        within_s = max(0.0, min(WAIT_S, self._time_left_s()))
        is_on_disk, confirmed = wait(connection, socket, self._replicas, within_s)
        if not is_on_disk:
            raise NotReplicated(self._replicas, confirmed, within_s)
        return answers


def wait(
    connection: Any,
    socket: Any,
    replicas: int,
    within_s: float,
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> tuple[bool, int]:
    """Whether the primary and enough replicas have all that was written on ``connection`` on disk, then at
    once; and how many replicas have.

    Args:
        socket: the one of ``connection`` that the writes were sent on.

    Raises redis.RedisError, also where the connection is no longer the same.
    """
    until_s = monotonic_s() + within_s
    slice_s = FIRST_WAIT_S
    while True:
        left_s = until_s - monotonic_s()
        local, confirmed = _ask(connection, socket, replicas, min(slice_s, left_s))
        if local and confirmed >= replicas:
            return True, confirmed
        if left_s <= slice_s:
            return False, confirmed
        slice_s *= 2


def _ask(connection: Any, socket: Any, replicas: int, within_s: float) -> tuple[int, int]:
    """How many disks have it: the primary's own (0 or 1), and those of replicas."""
    if connection._sock is not socket:  # noqa: SLF001 - see above
        raise RedisConnectionError("the connection was lost before replicas had confirmed the write")
    timeout_ms = max(1, round(within_s * _MS_PER_S))  # 0 would wait for ever
    connection.send_command("WAITAOF", 1, replicas, timeout_ms)
    local, confirmed = connection.read_response()
    return int(local), int(confirmed)
