"""Makes messages safe: one Redis transaction registers their arrival and queues them as one job."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis, RedisError
from redis.exceptions import OutOfMemoryError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from consumer import job
from pipeline.clock import Clock
from pipeline.message import Arrival, ClockDifference
from pipeline.queue import CLOCKS, DUPLICATES, QUEUE

BLOCK = 100
"""Numbers that share one hash of the registry: small enough for Redis's compact form of a hash."""

# The first arrival of a message sticks. Which of the job's messages came before is noted in the job
# itself (its `meta`), so the verdict lives exactly as long as the job, whatever the registry forgets.
_REGISTER = """
local duplicates, firsts, repeated, touched = {}, {}, {}, nil
for i = 2, #ARGV, 4 do
  local run, block, field, arrived_ns = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local bucket = 'fizzbuzz:arrival:' .. run .. ':' .. block
  if redis.call('HSETNX', bucket, field, arrived_ns) == 0 then
    duplicates[#duplicates + 1] = (i - 2) / 4
    firsts[#firsts + 1] = redis.call('HGET', bucket, field)
    repeated[run] = (repeated[run] or 0) + 1
  end
  if bucket ~= touched then
    touched = bucket
    redis.call('EXPIRE', bucket, ARGV[1])
  end
end
for run, again in pairs(repeated) do
  redis.call('HINCRBY', KEYS[2], run, again)
end
if #duplicates > 0 then
  redis.call('HSET', KEYS[1], 'meta', cjson.encode({duplicates = duplicates}))
end
return {duplicates, firsts}
"""

# RQ counts each start of a job that was cut short as a retry; being cut short must never fail a job.
_ALWAYS = Retry(max=1_000_000_000, enqueue_at_front=True)


class QueueFull(Exception):
    """The queue holds all that it may, or Redis has no memory left."""


class QueueUnavailable(Exception):
    """Redis is away, or can't write. Whether the messages were queued is not known."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message."""

    arrived_ns: int
    """Its first arrival."""
    duplicate: bool


class Intake:
    """Queues messages for the workers. One thread at a time."""

    def __init__(
        self,
        redis: Redis,
        consumer: str,
        *,
        queue_limit: int,
        dedupe_window_s: int,
        clock: Clock = time.time_ns,
    ) -> None:
        self._redis = redis
        self._consumer = consumer
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        self._queue_limit = queue_limit
        self._dedupe_window_s = dedupe_window_s
        self._clock = clock
        self._depth = 0

    def accept(self, arrivals: Sequence[Arrival], clocks: Iterable[ClockDifference] = ()) -> list[Receipt]:
        """Queue ``arrivals`` as one job, all or none; when this returns Redis has it on disk.

        What senders know of their ``clocks`` is kept beside, the newest of each run.

        Raises:
            QueueFull: nothing was queued.
            QueueUnavailable: it may or may not have been queued; repeating it is harmless.
        """
        try:
            self._refuse_when_full()
            duplicates, firsts = self._commit(arrivals, clocks)
        except OutOfMemoryError as error:
            raise QueueFull(f"Redis: {error}") from error
        except (RedisError, OSError) as error:
            raise QueueUnavailable(f"Redis: {error}") from error
        first = dict(zip(duplicates, map(int, firsts), strict=True))
        return [
            Receipt(first.get(index, arrival.arrived_ns), index in first)
            for index, arrival in enumerate(arrivals)
        ]

    def _refuse_when_full(self) -> None:
        """Asks Redis only where the last commit saw a full queue: a commit tells the depth anyway."""
        if self._depth >= self._queue_limit:
            self._depth = self._queue.count
        if self._depth >= self._queue_limit:
            raise QueueFull(f"{self._depth} jobs wait, {self._queue_limit} may")

    def _commit(
        self, arrivals: Sequence[Arrival], clocks: Iterable[ClockDifference]
    ) -> tuple[list[int], list[bytes]]:
        with self._redis.pipeline() as pipeline:
            queued = self._enqueue(pipeline, arrivals)
            for clock in clocks:
                pipeline.hset(CLOCKS, clock.run, f"{clock.offset_ns} {clock.error_ns}")
            arguments = [str(self._dedupe_window_s), *_registry_entries(arrivals)]
            pipeline.eval(_REGISTER, 2, queued.key, DUPLICATES, *arguments)
            pipeline.llen(self._queue.key)
            *_, registered, self._depth = pipeline.execute()
        return registered[0], registered[1]

    def _enqueue(self, pipeline: Any, arrivals: Sequence[Arrival]) -> Job:
        return self._queue.enqueue(
            job.TASK,
            args=(job.payload(self._consumer, self._clock(), arrivals),),
            pipeline=pipeline,
            description=f"{len(arrivals)} messages",
            job_timeout=-1,  # it may wait for the store as long as that is away
            result_ttl=0,
            failure_ttl=-1,
            retry=_ALWAYS,
        )


def _registry_entries(arrivals: Sequence[Arrival]) -> list[str]:
    entries: list[str] = []
    for arrival in arrivals:
        block, field = divmod(arrival.message.number, BLOCK)
        entries += (arrival.message.run, str(block), str(field), str(arrival.arrived_ns))
    return entries
