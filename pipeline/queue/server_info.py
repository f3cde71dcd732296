"""What the queue's Redis says of itself, and whether accepted messages are safe in it."""

import re
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

OLDEST = (6, 2)
"""The first version with ``LMOVE``: before it a worker pops a job, which is lost if that worker dies then."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """One look at the server. What it does not tell (a managed Redis may refuse ``INFO``) is empty or 0."""

    version: str
    policy: str
    """``maxmemory-policy``: what happens when memory runs out."""
    used_bytes: int
    """Memory that counts towards the limit."""
    limit_bytes: int
    """``maxmemory``; 0: no limit."""

    @property
    def unfit(self) -> str | None:
        """Why this Redis can lose accepted messages, and how to fix it; None where it can't."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        if found and (int(found[1]), int(found[2])) < OLDEST:
            return f"Redis {self.version} can lose messages when a worker dies: 6.2 or newer is needed"
        if self.policy not in ("", "noeviction"):
            return (
                f"Redis deletes accepted messages when its memory runs out (maxmemory-policy {self.policy}):"
                " set maxmemory-policy noeviction"
            )
        return None


def read(redis: Redis) -> ServerInfo:
    """Ask the server; one round trip. Raises redis.RedisError."""
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.info("server")
        pipeline.info("memory")
        server, memory = map(_or_nothing, pipeline.execute(raise_on_error=False))
    return ServerInfo(
        version=str(server.get("redis_version", "")),
        policy=str(memory.get("maxmemory_policy", "")),
        used_bytes=int(memory.get("used_memory", 0)) - int(memory.get("mem_not_counted_for_evict", 0)),
        limit_bytes=int(memory.get("maxmemory", 0)),
    )


def _or_nothing(answer: Any) -> dict[str, Any]:
    return {} if isinstance(answer, ResponseError) else answer
