"""Whether an outside Redis may hold the queue: it must keep what it was given."""

import threading

from launcher.local import redis_server
from launcher.local.resp import Redis
from launcher.problem import USAGE, Problem

WITHIN_S = 4.0
"""Name resolution included, which has no timeout of its own."""
_KEEPS = "noeviction"


def check(url: str) -> None:
    """Raise Problem, within ``WITHIN_S``, where the Redis at ``url`` is away, too old or may evict."""
    info = _info(url)
    found = info.get("redis_version", "unknown")
    if redis_server.parse(found) < redis_server.OLDEST:
        raise Problem(
            f"REDIS_URL: that Redis has version {found}, and {redis_server.OLDEST_TEXT} or newer is needed:"
            " older ones lose jobs when a worker is killed",
            USAGE,
        )
    policy = info.get("maxmemory_policy", "unknown")
    if policy != _KEEPS:
        raise Problem(
            f"REDIS_URL: that Redis may evict messages (maxmemory-policy {policy}):"
            f" set its maxmemory-policy to {_KEEPS}",
            USAGE,
        )


def _info(url: str) -> dict[str, str]:
    """What ``INFO`` says of server and memory."""
    answers: list[str] = []
    errors: list[str] = []

    def ask() -> None:
        try:
            with Redis(url) as redis:
                answers.extend(redis.ask("INFO", section) for section in ("server", "memory"))
        except (OSError, ValueError) as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    if len(answers) != 2:
        reason = errors[0] if errors else f"no answer within {WITHIN_S:.0f} s"
        raise Problem(f"REDIS_URL: no Redis can be used there: {reason}", USAGE)
    lines = [line for answer in answers for line in answer.splitlines()]
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}
