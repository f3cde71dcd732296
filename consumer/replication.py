"""Whether enough replicas of Redis have each write on disk, and which ones: for the consumer's readiness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from pipeline.hosts import host_port
from pipeline.queue import keys, replication
from pipeline.queue.replication import NotReplicated

CHECK_S = 0.3
"""How long the check waits for replicas; the next one, and this service's heartbeat, come a second later."""

LATE_S = 2
"""A replica answers its primary once a second, also when nothing is written; after longer it is late."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica as its primary sees it."""

    address: str
    problem: str
    """Why what is written now may not be there; empty where nothing is known to be wrong."""


class ReplicaWatch:
    """Writes, and asks whether ``needed`` replicas have it on disk. One thread at a time.

    Args:
        needed: at least 1.
    """

    def __init__(self, redis: Redis, needed: int) -> None:
        self._redis = redis
        self._needed = needed
        self.replicas: Sequence[Replica] = ()
        """Those of the last check."""

    def problem(self) -> str | None:
        """Why nothing can be accepted for lack of replicas; None where enough have it.

        Raises redis.RedisError.
        """
        self.replicas = read(self._redis)
        if len(self.replicas) < self._needed:
            return f"FIZZBUZZ_REDIS_REPLICAS={self._needed}, but Redis has {self.described}"
        try:
            with replication.pipeline(
                self._redis, self._needed, time_left_s=lambda: CHECK_S, transaction=False
            ) as pipeline:
                pipeline.incr(keys.REPLICATION_CHECK)
                pipeline.execute()
        except NotReplicated as error:
            return f"{error}; Redis has {self.described}"
        except ResponseError as error:
            if "NOREPLICAS" not in str(error):
                raise
            return f"Redis refuses every write (min-replicas-to-write); it has {self.described}"
        return None

    @property
    def described(self) -> str:
        """The replicas, each with what is wrong with it."""
        if not self.replicas:
            return "no replica"
        named = (f"{one.address}{f' ({one.problem})' if one.problem else ''}" for one in self.replicas)
        noun = "replica" if len(self.replicas) == 1 else "replicas"
        return f"{len(self.replicas)} {noun}: {', '.join(named)}"


def read(redis: Redis) -> list[Replica]:
    """The replicas that are connected to the primary, by their addresses. Raises redis.RedisError."""
    info: dict[str, Any] = redis.info("replication")
    found = (value for name, value in info.items() if name.startswith("slave") and isinstance(value, dict))
    return sorted(map(_replica, found), key=lambda one: one.address)


def _replica(fields: dict[str, Any]) -> Replica:
    address = host_port(str(fields.get("ip", "")), int(fields.get("port", 0)))
    if fields.get("state") != "online":
        return Replica(address, "it is being synchronized")
    lag_s = int(fields.get("lag", 0))
    return Replica(address, f"no answer for {lag_s} s" if lag_s > LATE_S else "")
