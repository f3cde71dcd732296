"""The queue's Redis server: version, memory, and whether it can lose accepted messages."""

import re
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

OLDEST = (6, 2)
"""The first version with ``LMOVE``: older workers pop a job, which is lost if they die before starting it."""

OLDEST_REPLICATED = (7, 2)
"""The first version with ``WAITAOF``."""

FULL_AT = 0.85
"""Share of Redis's ``maxmemory`` from which on nothing more is accepted. Workers need the rest: dequeuing and
finishing a job are writes too, and Redis rejects every write once the limit is reached."""

# A script, since a section of INFO has some fifty fields and the client would parse all of them.
# What is denied or absent is empty.
_READ = """
local function values(section, names)
  local answer = redis.pcall('INFO', section)
  local text, found = type(answer) == 'string' and '\\n' .. answer or '', {}
  for _, name in ipairs(names) do found[#found + 1] = text:match('\\n' .. name .. ':([^\\r\\n]*)') or '' end
  return unpack(found)
end
local version, run_id, uptime = values('server', {'redis_version', 'run_id', 'uptime_in_seconds'})
local memory = {'maxmemory_policy', 'used_memory', 'mem_not_counted_for_evict', 'maxmemory'}
local role, good = values('replication', {'role', 'min_slaves_good_slaves'})
return {version, run_id, uptime, role, good, values('memory', memory)}
"""


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
    is_replica: bool = False
    """Whether it refuses every write, since it is a replica of another server."""
    is_fenced: bool = False
    """Whether it refuses every write, since no replica has answered it lately (``min-replicas-to-write``)."""

    @property
    def refusal(self) -> str:
        """Why it refuses every write, other than for lack of replicas; empty where it is not known to."""
        return "it is a replica of another server" if self.is_replica else ""

    @property
    def unfit(self) -> str | None:
        """Why this Redis can lose accepted messages, and how to fix it; None if it can't."""
        if self._is_before(OLDEST):
            return f"Redis {self.version} can lose messages when a worker dies: 6.2 or newer is needed"
        if self.policy not in ("", "noeviction"):
            return (
                f"Redis deletes accepted messages when its memory runs out (maxmemory-policy {self.policy}):"
                " set maxmemory-policy noeviction"
            )
        return None

    def unfit_for(self, replicas: int) -> str | None:
        """Why it can't be waited for ``replicas`` replicas; None if it can, or if none are waited for."""
        if replicas and self._is_before(OLDEST_REPLICATED):
            return (
                f"FIZZBUZZ_REDIS_REPLICAS={replicas} needs Redis 7.2 or newer (WAITAOF), not {self.version}"
            )
        return None

    def _is_before(self, version: tuple[int, int]) -> bool:
        """Whether the server is known to be older."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return found is not None and (int(found[1]), int(found[2])) < version

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
    """Queue the reading on a redis-py pipeline, beside others; ``parse`` reads its answer."""
    pipeline.eval(_READ, 0)


def parse(answer: Any) -> ServerInfo:
    """The answer to ``ask``. Raises redis.RedisError."""
    if isinstance(answer, ResponseError):
        return ServerInfo("", "", 0, 0)
    if isinstance(answer, Exception):
        raise answer
    version, run_id, uptime, role, good, policy, used, not_counted, limit = (
        value.decode() for value in answer
    )
    return ServerInfo(
        version=version,
        policy=policy,
        used_bytes=int(used or 0) - int(not_counted or 0),
        limit_bytes=int(limit or 0),
        run_id=run_id,
        uptime_s=int(uptime or 0),
        is_replica=role == "slave",
        is_fenced=good == "0",
    )
