"""What the queue holds, asked of Redis."""

from redis import Redis, RedisError

TIMEOUT_S = 1.0
_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
"""Where jobs wait, and where a job is between the queue and a worker."""


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client; its calls raise RedisError or OSError."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None)


def waiting(url: str) -> int:
    """Jobs that wait; 0 where Redis doesn't answer."""
    try:
        with connect(url) as redis:
            return sum(int(redis.llen(name)) for name in _LISTS)
    except (RedisError, OSError):
        return 0
