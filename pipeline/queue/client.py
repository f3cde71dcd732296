"""What the services read and write in Redis about the queue, apart from the jobs themselves."""

from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from pipeline.message import ClockOffset
from pipeline.queue import keys, sentinel, sentinel_url


def connect(url: str, *, timeout_s: float = 2.0, retries: int = 0) -> Redis:
    """A client of the Redis at ``url``, or of the primary that the Sentinels there name.

    It connects at the first command. Commands are not retried automatically: the callers know what may be
    repeated. Those that may be are sent again up to ``retries`` times where the connection turns out to be
    closed.
    """
    retry = Retry(NoBackoff(), retries, (RedisConnectionError,))
    if sentinel_url.is_sentinel(url):
        return sentinel.connect(sentinel_url.parse(url), timeout_s=timeout_s, retry=retry)
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=retry,
        health_check_interval=0,
    )


class AnyRedis(Redis):
    """For RQ's command line, which knows no Sentinels: its option ``--connection-class``."""

    @classmethod
    def from_url(cls, url: str, **_: Any) -> Redis:
        """As ``connect``."""
        return connect(url)


def wrong_name(url: str) -> str | None:
    """Why the URL names no primary, in one line, where its Sentinels say so; None where they know it or can't
    be asked now."""
    if not sentinel_url.is_sentinel(url):
        return None
    try:
        sentinel.check_name(sentinel_url.parse(url))
    except sentinel.UnknownPrimary as error:
        return f"REDIS_URL: {error}"
    return None


def encode_clock(clock: ClockOffset) -> str:
    """The clock offset as it is stored in the hash of its run."""
    return f"{clock.offset_ns} {clock.error_ns}"


def decode_clock(run: str, text: bytes) -> ClockOffset:
    """What ``encode_clock`` made."""
    return ClockOffset(run, *map(int, text.split()))


def depth(redis: Redis) -> int:
    """Number of waiting jobs. Raises redis.RedisError."""
    return int(redis.llen(keys.RQ_QUEUE))


def waiting(redis: Redis) -> int:
    """Number of accepted messages that are neither stored nor failed. Raises redis.RedisError."""
    return max(0, int(redis.get(keys.WAITING) or 0))
