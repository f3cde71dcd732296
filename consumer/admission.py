"""Decides whether the queue accepts more messages, before Redis itself has to reject them."""

import time
from collections.abc import Callable

from redis import Redis

from consumer.rejections import QueueFull, QueueOutOfMemory, QueueUnfit
from pipeline.queue import client as queue
from pipeline.queue import server_info
from pipeline.queue.server_info import ServerInfo

CHECK_S = 1.0
CHECK_FULL_S = 0.1
CHECK_SHARE = 1 / 64
"""Redis is asked for its memory once in ``CHECK_S``, more often while it is full, and after this share of
its limit was accepted: asking at each commit would cost more than the commit's own commands."""

COMMIT_BYTES = 3_072
MESSAGE_BYTES = 512
"""Upper bounds of what a commit and each of its messages use in Redis (measured: docs/operations.md)."""


class Admission:
    """Knows how full the queue is, with few requests to Redis. One thread at a time."""

    def __init__(
        self, redis: Redis, queue_limit: int, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._queue_limit = queue_limit
        self._monotonic_s = monotonic_s
        self._waiting = 0
        self._info: ServerInfo | None = None
        self._checked_at_s = 0.0
        self._accepted_bytes = 0

    def check(self) -> None:
        """Return where messages may be queued.

        Raises:
            QueueFull: too many messages wait, or (QueueOutOfMemory) Redis's memory is used up.
            QueueUnfit: this Redis can lose messages.
            redis.RedisError: Redis does not answer.
        """
        if self._info is None or self._is_stale(self._info):
            self._info = server_info.read(self._redis)
            self._checked_at_s, self._accepted_bytes = self._monotonic_s(), 0
        check_server(self._info)
        if self._waiting >= self._queue_limit:  # else the last commit's result showed that there is room
            self._waiting = queue.waiting(self._redis)
        check_room(self._waiting, self._queue_limit)

    def record_commit(self, messages: int, waiting: int) -> None:
        """Record a commit of ``messages`` messages, after which ``waiting`` messages wait."""
        self._waiting = waiting
        self._accepted_bytes += COMMIT_BYTES + messages * MESSAGE_BYTES

    def invalidate(self) -> None:
        """After an error: ask Redis again before the next commit."""
        self._info = None

    def _is_stale(self, info: ServerInfo) -> bool:
        if self._monotonic_s() - self._checked_at_s >= (CHECK_FULL_S if info.full else CHECK_S):
            return True
        return 0 < info.limit_bytes * CHECK_SHARE <= self._accepted_bytes


def check_server(info: ServerInfo) -> None:
    """Raises QueueUnfit if this Redis can lose messages, QueueOutOfMemory if its memory is used up."""
    if info.unfit:
        raise QueueUnfit(info.unfit)
    if info.full:
        raise QueueOutOfMemory(f"Redis has no memory left for more messages: {info.full}")


def check_room(waiting: int, limit: int) -> None:
    """Raises QueueFull where as many messages wait as the limit allows."""
    if waiting >= limit:
        raise QueueFull(f"the queue is full: {waiting} messages wait, {limit} may")
