"""What the service reads from Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis import Redis

from pipeline.message import ClockOffset
from pipeline.queue import client as queue


@dataclass(frozen=True, slots=True)
class QueueReading:
    """The queue at one moment."""

    depth: int
    """Jobs that wait."""
    started_ns: Mapping[str, int]
    """When each part last started, by its name."""
    duplicates: Mapping[str, int]
    """Messages that were accepted again, by run, where that is known."""
    clocks: Mapping[str, ClockOffset] = field(default_factory=dict)
    """How far the clock of a run's sender is from the consumer's, by run, where the sender told."""


class Jobs:
    """Reads the queue through ``redis``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self, runs: Sequence[str]) -> QueueReading:
        """The queue as it is now, with the duplicates of ``runs``. Raises redis.RedisError."""
        return QueueReading(
            depth=queue.depth(self._redis),
            started_ns=queue.started(self._redis),
            duplicates={run: n for run in runs if (n := queue.duplicates(self._redis, run)) is not None},
            clocks={run: clock for run in runs if (clock := queue.clock(self._redis, run))},
        )
