"""What the queue holds, asked of Redis; and whether an outside Redis may hold it."""

import threading
from typing import Any

from redis import Redis, RedisError

from launcher.errors import USAGE, UserError
from launcher.local import redis_server
from pipeline.queue import keys

TIMEOUT_S = 1.0
WITHIN_S = 4.0
"""Name resolution included, which has no timeout of its own."""
_LISTS = (keys.RQ_QUEUE, keys.RQ_INTERMEDIATE)
_SETS = (keys.RQ_STARTED, keys.RQ_SCHEDULED)


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client; its calls raise RedisError or OSError."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None)


def answers(url: str) -> bool:
    """Whether it answers PING."""
    try:
        with connect(url) as redis:
            return bool(redis.ping())
    except (RedisError, OSError):
        return False


def waiting(url: str) -> int:
    """Jobs in the queue or on their way to a worker; 0 where Redis doesn't answer: nothing to wait for."""
    try:
        with connect(url) as redis:
            return sum(int(redis.llen(name)) for name in _LISTS)
    except (RedisError, OSError):
        return 0


def unstored(url: str) -> int:
    """All jobs that somebody must still store. Raises RedisError, OSError."""
    with connect(url) as redis:
        return sum(int(redis.llen(name)) for name in _LISTS) + sum(int(redis.zcard(name)) for name in _SETS)


def failed(url: str) -> int:
    """Jobs in the failed registry. Raises RedisError, OSError."""
    with connect(url) as redis:
        return int(redis.zcard(keys.RQ_FAILED))


def check_outside(url: str) -> None:
    """Raise UserError, within ``WITHIN_S``, where the Redis at ``url`` is away, too old or may evict."""
    info = _info(url)
    found = str(info.get("redis_version", "unknown"))
    if redis_server.parse(found) < redis_server.OLDEST:
        oldest = ".".join(map(str, redis_server.OLDEST))
        raise UserError(
            f"REDIS_URL: that Redis has version {found}, and {oldest} or newer is needed:"
            " older ones lose jobs when a worker is killed",
            USAGE,
        )
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise UserError(
            f"REDIS_URL: that Redis may evict messages (maxmemory-policy {policy}):"
            " set its maxmemory-policy to noeviction",
            USAGE,
        )


def _info(url: str) -> dict[str, Any]:
    """What ``INFO`` says of server and memory."""
    found: dict[str, Any] = {}
    errors: list[str] = []

    def ask() -> None:
        try:
            with connect(url) as redis:
                found.update({**redis.info("server"), **redis.info("memory")})
        except (RedisError, OSError, ValueError, TypeError, AttributeError) as error:  # or no Redis at all
            errors.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    if not found:
        reason = errors[0] if errors else f"no answer within {WITHIN_S:.0f} s"
        raise UserError(f"REDIS_URL: no Redis can be used there: {reason}", USAGE)
    return found
