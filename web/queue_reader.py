"""What the service reads from Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis import Redis

from pipeline.message import ClockOffset
from pipeline.queue import client as queue


@dataclass(frozen=True, slots=True)
class QueueSample:
    """The queue at one moment."""

    depth: int
    """Jobs that wait."""
    started_ns: Mapping[str, int]
    """When each service last started, by its name."""
    duplicates: Mapping[str, int]
    """Messages that were accepted again, by run, where that is known."""
    clock_offsets: Mapping[str, ClockOffset] = field(default_factory=dict)
    """Between a run's sender and the consumer, by run, where the sender reported it."""


class QueueReader:
    """Reads the queue through ``redis``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self, runs: Sequence[str]) -> QueueSample:
        """The queue as it is now, with duplicates and clock offsets of ``runs``. Raises redis.RedisError."""
        return QueueSample(
            depth=queue.depth(self._redis),
            started_ns=queue.started(self._redis),
            duplicates={run: n for run in runs if (n := queue.duplicates(self._redis, run)) is not None},
            clock_offsets={run: clock for run in runs if (clock := queue.clock(self._redis, run))},
        )
