"""How many jobs wait in a Redis: accepted, and not stored yet."""

from launcher.local.resp import Redis

_QUEUE = "rq:queue:messages"
_TAKEN = "rq:queue:messages:intermediate"
"""Where a job is on its way to a worker."""
_STARTED = "rq:wip:messages"
_FAILED = "rq:failed:messages"


def count(url: str) -> int:
    """Jobs in the queue or on their way to a worker; 0 where Redis doesn't answer: nothing to wait for."""
    try:
        with Redis(url) as redis:
            return sum(int(redis.ask("LLEN", name)) for name in (_QUEUE, _TAKEN))
    except OSError:
        return 0
