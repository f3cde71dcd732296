"""How many jobs a Redis holds: accepted, and not stored yet."""

from launcher.local.resp import Redis

_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
"""Where jobs wait, and where a job is on its way to a worker."""
_SETS = ("rq:wip:messages", "rq:scheduled:messages")
"""Those that a worker began, and those that are to be tried again later."""
_FAILED = "rq:failed:messages"


def count(url: str) -> int:
    """Jobs in the queue or on their way to a worker; 0 where Redis doesn't answer: nothing to wait for."""
    try:
        with Redis(url) as redis:
            return _sum(redis, "LLEN", _LISTS)
    except OSError:
        return 0


def unstored(url: str) -> int:
    """All jobs that somebody must still store. Raises OSError."""
    with Redis(url) as redis:
        return _sum(redis, "LLEN", _LISTS) + _sum(redis, "ZCARD", _SETS)


def failed(url: str) -> int:
    """Jobs in the failed registry. Raises OSError."""
    with Redis(url) as redis:
        return _sum(redis, "ZCARD", (_FAILED,))


def _sum(redis: Redis, command: str, names: tuple[str, ...]) -> int:
    return sum(int(redis.ask(command, name)) for name in names)
