"""Makes messages safe: one Redis transaction registers their arrival and queues them as one job."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis, RedisError
from redis.exceptions import ExecAbortError, OutOfMemoryError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from consumer import job
from consumer.admission import Admission, QueueFull, QueueOutOfMemory, QueueUnavailable, QueueUnfit
from consumer.registration import REGISTER
from pipeline import queue
from pipeline.clock import Clock
from pipeline.message import Arrival, ClockDifference
from pipeline.queue import QUEUE, WAITING

__all__ = ["Intake", "QueueFull", "QueueOutOfMemory", "QueueUnavailable", "QueueUnfit", "Receipt"]

BLOCK = 100
"""Numbers that share one hash of the registry: small enough for Redis's compact form of a hash."""

_LONGEST_REASON = 200

# RQ counts each start of a job that was cut short as a retry; being cut short must never fail a job.
_ALWAYS = Retry(max=1_000_000_000, enqueue_at_front=True)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message."""

    arrived_ns: int
    """Its first arrival."""
    duplicate: bool


class Intake:
    """Queues messages for the workers. One thread at a time."""

    def __init__(  # noqa: PLR0913 - both clocks are there for tests
        self,
        redis: Redis,
        consumer: str,
        *,
        queue_limit: int,
        dedupe_window_s: int,
        clock: Clock = time.time_ns,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._consumer = consumer
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        self._admission = Admission(redis, queue_limit, monotonic_s=monotonic_s)
        self._dedupe_window_s = dedupe_window_s
        self._clock = clock

    def accept(
        self, arrivals: Sequence[Arrival], clocks: Iterable[ClockDifference] = (), consumer: str = ""
    ) -> list[Receipt]:
        """Queue ``arrivals`` as one job, all or none; when this returns Redis has it on disk.

        Args:
            clocks: what senders know of their clocks; kept beside, the newest of each run.
            consumer: whose arrival times these are, where it is not the name given at first.

        Raises:
            QueueFull: nothing was queued. Where it is for want of memory: QueueOutOfMemory.
            QueueUnavailable: it may or may not have been queued; repeating it is harmless.
        """
        try:
            self._admission.check()
            duplicates, firsts = self._commit(arrivals, clocks, consumer or self._consumer)
        except (RedisError, OSError) as error:
            self._admission.forget()
            raise _explained(error) from error
        first = dict(zip(duplicates, map(int, firsts), strict=True))
        return [
            Receipt(first.get(index, arrival.arrived_ns), index in first)
            for index, arrival in enumerate(arrivals)
        ]

    def _commit(
        self, arrivals: Sequence[Arrival], clocks: Iterable[ClockDifference], consumer: str
    ) -> tuple[list[int], list[bytes]]:
        with self._redis.pipeline() as pipeline:
            queued = self._enqueue(pipeline, arrivals, consumer)
            for clock in clocks:
                queue.note_clock(pipeline, clock, self._dedupe_window_s)
            arguments = [str(self._dedupe_window_s), *_registry_entries(arrivals)]
            pipeline.eval(REGISTER, 3, queued.key, self._queue.key, WAITING, *arguments)
            duplicates, firsts, waiting = pipeline.execute()[-1]
        self._admission.committed(len(arrivals), waiting)
        return duplicates, firsts

    def _enqueue(self, pipeline: Any, arrivals: Sequence[Arrival], consumer: str) -> Job:
        return self._queue.enqueue(
            job.TASK,
            args=(job.payload(consumer, self._clock(), arrivals),),
            pipeline=pipeline,
            description=f"{len(arrivals)} messages",
            job_timeout=-1,  # it may wait for the store as long as that is away
            result_ttl=0,
            failure_ttl=-1,
            retry=_ALWAYS,
        )


def _explained(error: RedisError | OSError) -> QueueFull | QueueUnavailable:
    """Memory may run out after a transaction has begun; Redis then aborts all of it.

    redis-py puts the whole command before what Redis said, which is no business of the sender's.
    """
    text = str(error).rpartition("caused error: ")[2][:_LONGEST_REASON]
    aborted = isinstance(error, ExecAbortError) and "OOM" in text
    if aborted or isinstance(error, OutOfMemoryError):
        return QueueOutOfMemory(f"Redis has no memory left: {text}")
    return QueueUnavailable(f"Redis: {text}")


def _registry_entries(arrivals: Sequence[Arrival]) -> list[str]:
    entries: list[str] = []
    for arrival in arrivals:
        block, field = divmod(arrival.message.number, BLOCK)
        entries += (arrival.message.run, str(block), str(field), str(arrival.arrived_ns))
    return entries
