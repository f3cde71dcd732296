"""What the services read and write in Redis about the queue, apart from the jobs themselves."""

import time
from typing import cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.message import ClockOffset
from pipeline.queue import keys

MAX_STARTED = 1_000
"""Number of services whose last start is kept; each container has a new name."""

# The HDEL comes first: a Redis that is out of memory rejects a script that begins with HSET.
_RECORD_START = """
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""


def connect(url: str, *, timeout_s: float = 2.0) -> Redis:
    """A client of the Redis at ``url``. Connects at the first command.

    Commands are not retried automatically: the callers know what may be repeated.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def record_start(redis: Redis, name: str) -> None:
    """Record that the service ``name`` starts now. Raises redis.RedisError."""
    redis.eval(_RECORD_START, 1, keys.STARTED, name, str(time.time_ns()))
    redis.delete(*keys.RETIRED)
    known = started(redis)
    if surplus := sorted(known, key=known.__getitem__)[:-MAX_STARTED]:
        redis.hdel(keys.STARTED, *surplus)


def started(redis: Redis) -> dict[str, int]:
    """When each service that uses the queue last started, Unix nanoseconds. Raises redis.RedisError."""
    pairs = cast("dict[bytes, bytes]", redis.hgetall(keys.STARTED))
    return {name.decode(): int(ns) for name, ns in pairs.items()}


def encode_clock(clock: ClockOffset) -> str:
    """The clock offset as it is stored in the hash of its run; ``clock`` reads it."""
    return f"{clock.offset_ns} {clock.error_ns}"


def duplicates(redis: Redis, run: str) -> int | None:
    """How many messages of ``run`` were accepted again; None if unknown or expired.

    Raises redis.RedisError.
    """
    known = redis.hget(keys.run(run), "duplicates")
    return None if known is None else int(known)


def clock(redis: Redis, run: str) -> ClockOffset | None:
    """The clock offset of the sender of ``run``. Raises redis.RedisError."""
    known = redis.hget(keys.run(run), "clock")
    return decode_clock(run, cast("bytes", known)) if known else None


def decode_clock(run: str, text: bytes) -> ClockOffset:
    """What ``encode_clock`` made."""
    return ClockOffset(run, *map(int, text.split()))


def depth(redis: Redis) -> int:
    """Number of waiting jobs. Raises redis.RedisError."""
    return int(redis.llen(keys.RQ_QUEUE))


def waiting(redis: Redis) -> int:
    """Number of accepted messages that are neither stored nor failed. Raises redis.RedisError."""
    return max(0, int(redis.get(keys.WAITING) or 0))
