"""The queue's Redis server: version, memory, and whether it can lose accepted messages."""

import re
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

OLDEST = (6, 2)
"""The first version with ``LMOVE``: older workers pop a job, which is lost if they die before starting it."""


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


def read(redis: Redis) -> ServerInfo:
    """Read it from the server in one round trip. Raises redis.RedisError."""
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
