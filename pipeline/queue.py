"""The queue in Redis: its name, how to connect to it, and how long it is."""

import time
from typing import cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.message import ClockDifference

QUEUE = "messages"
"""RQ's name of the queue; its jobs wait in the Redis list ``rq:queue:messages``."""

WAITING = "fizzbuzz:waiting"
"""Messages that were accepted and are neither stored nor failed yet, of all runs."""

_STARTED = "fizzbuzz:started"
_MOST_STARTED = 1_000
"""Parts whose last start is kept: containers bring a new name each time."""

_RETIRED = ("fizzbuzz:duplicates", "fizzbuzz:clocks")
"""What an earlier version kept for every run, for ever."""


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
    redis.delete(*_RETIRED)
    known = started(redis)
    if surplus := sorted(known, key=known.__getitem__)[:-_MOST_STARTED]:
        redis.hdel(_STARTED, *surplus)


def started(redis: Redis) -> dict[str, int]:
    """When each part that uses the queue last started, Unix nanoseconds. Raises redis.RedisError."""
    pairs = cast("dict[bytes, bytes]", redis.hgetall(_STARTED))
    return {name.decode(): int(ns) for name, ns in pairs.items()}


def run_key(run: str) -> str:
    """A hash of what is known of ``run``; it expires with the dedupe window after the run's last message."""
    return f"fizzbuzz:run:{run}"


def encode_clock(clock: ClockDifference) -> str:
    """What is kept of a clock in the hash of its run; ``clock`` reads it."""
    return f"{clock.offset_ns} {clock.error_ns}"


def duplicates(redis: Redis, run: str) -> int | None:
    """How many messages of ``run`` were accepted again; None where that is not known (any more).

    Raises redis.RedisError.
    """
    known = redis.hget(run_key(run), "duplicates")
    return None if known is None else int(known)


def clock(redis: Redis, run: str) -> ClockDifference | None:
    """How far the clock of the sender of ``run`` is from the consumer's. Raises redis.RedisError."""
    known = redis.hget(run_key(run), "clock")
    return ClockDifference(run, *map(int, known.split())) if known else None


def depth(redis: Redis) -> int:
    """Jobs that wait. Raises redis.RedisError."""
    return int(redis.llen(f"rq:queue:{QUEUE}"))


def waiting(redis: Redis) -> int:
    """Messages that were accepted and are neither stored nor failed yet. Raises redis.RedisError."""
    return max(0, int(redis.get(WAITING) or 0))
