"""The queue's Redis server: version, memory, and whether it can lose accepted messages."""

import re
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

OLDEST = (6, 2)
"""The first version with ``LMOVE``: older workers pop a job, which is lost if they die before starting it."""

FULL_AT = 0.85
"""Share of Redis's ``maxmemory`` from which on nothing more is accepted. Workers need the rest: dequeuing and
finishing a job are writes too, and Redis rejects every write once the limit is reached."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A snapshot of ``INFO``. Values that are unavailable (a managed Redis may deny it) are empty or 0."""

    version: str
    policy: str
    """``maxmemory-policy``: what happens when memory runs out."""
    used_bytes: int
    """Memory that counts towards the limit."""
    limit_bytes: int
    """``maxmemory``; 0: no limit."""
    run_id: str = ""
    """A new one at each start of the server."""
    uptime_s: int = 0

    @property
    def unfit(self) -> str | None:
        """Why this Redis can lose accepted messages, and how to fix it; None if it can't."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        if found and (int(found[1]), int(found[2])) < OLDEST:
            return f"Redis {self.version} can lose messages when a worker dies: 6.2 or newer is needed"
        if self.policy not in ("", "noeviction"):
            return (
                f"Redis deletes accepted messages when its memory runs out (maxmemory-policy {self.policy}):"
                " set maxmemory-policy noeviction"
            )
        return None

    @property
    def full(self) -> str | None:
        """How much memory is used, if it is more than messages may use; None while there is room."""
        if 0 < self.limit_bytes * FULL_AT <= self.used_bytes:
            return f"{self.used_bytes:,} of {self.limit_bytes:,} bytes are used, {FULL_AT:.0%} may be"
        return None


def read(redis: Redis) -> ServerInfo:
    """Read it from the server in one round trip. Raises redis.RedisError."""
    with redis.pipeline(transaction=False) as pipeline:
        ask(pipeline)
        return parse(*pipeline.execute(raise_on_error=False))


def ask(pipeline: Any) -> None:
    """Queue the reading on a redis-py pipeline: two commands, whose answers ``parse`` reads."""
    pipeline.info("server")
    pipeline.info("memory")


def parse(server_answer: Any, memory_answer: Any) -> ServerInfo:
    """The answers to ``ask``. Raises redis.RedisError."""
    server, memory = map(_or_nothing, (server_answer, memory_answer))
    return ServerInfo(
        version=str(server.get("redis_version", "")),
        policy=str(memory.get("maxmemory_policy", "")),
        used_bytes=int(memory.get("used_memory", 0)) - int(memory.get("mem_not_counted_for_evict", 0)),
        limit_bytes=int(memory.get("maxmemory", 0)),
        run_id=str(server.get("run_id", "")),
        uptime_s=int(server.get("uptime_in_seconds", 0)),
    )


def _or_nothing(answer: Any) -> dict[str, Any]:
    if isinstance(answer, ResponseError):
        return {}
    if isinstance(answer, Exception):
        raise answer
    found: dict[str, Any] = answer
    return found
