"""The queue in Redis: its name, how to connect to it, and how long it is."""

import time
from typing import cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.message import ClockDifference

QUEUE = "messages"
"""RQ's name of the queue; its jobs wait in the Redis list ``rq:queue:messages``."""


DUPLICATES = "fizzbuzz:duplicates"
CLOCKS = "fizzbuzz:clocks"
_STARTED = "fizzbuzz:started"


def connect(url: str, *, timeout_s: float = 2.0) -> Redis:
    """A client of the Redis at ``url``. Connects at the first command.

    No command is repeated by itself: the callers know what may be repeated.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def announce(redis: Redis, name: str) -> None:
    """Note that the part ``name`` starts now. Raises redis.RedisError."""
    redis.hset(_STARTED, name, time.time_ns())


def started(redis: Redis) -> dict[str, int]:
    """When each part that uses the queue last started, Unix nanoseconds. Raises redis.RedisError."""
    pairs = cast("dict[bytes, bytes]", redis.hgetall(_STARTED))
    return {name.decode(): int(ns) for name, ns in pairs.items()}


def duplicates(redis: Redis, run: str) -> int:
    """How many messages of ``run`` were accepted again. Raises redis.RedisError."""
    return int(redis.hget(DUPLICATES, run) or 0)


def clock(redis: Redis, run: str) -> ClockDifference | None:
    """How far the clock of the sender of ``run`` is from the consumer's. Raises redis.RedisError."""
    known = redis.hget(CLOCKS, run)
    return ClockDifference(run, *map(int, known.split())) if known else None


def depth(redis: Redis) -> int:
    """Jobs that wait. Raises redis.RedisError."""
    return int(redis.llen(f"rq:queue:{QUEUE}"))
