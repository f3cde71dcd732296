"""Persists messages: one Redis transaction registers their arrival and enqueues them as one job."""

import time
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from redis import Redis, RedisError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from consumer.admission import Admission
from consumer.register_script import REGISTER
from consumer.rejections import ForeignRun, explained
from pipeline.clock import Clock
from pipeline.message import Arrival, ClockOffset
from pipeline.queue import client as queue
from pipeline.queue import job, keys, replication
from pipeline.queue.keys import ARRIVALS_BLOCK, QUEUE

_COUNTED = (keys.WAITING, keys.LEDGER, keys.WAITING_RUNS, keys.LEDGER_RUNS)
"""The keys that every call of REGISTER counts in."""

# RQ counts a restart after an interruption as a retry; interruptions must never fail a job.
_UNLIMITED_RETRIES = Retry(max=1_000_000_000, enqueue_at_front=True)


class _Json(JSONSerializer):
    """RQ's serializer, whose JSON is written in a tenth of the time."""

    @staticmethod
    def dumps(*values: Any, **options: Any) -> bytes:
        return msgspec.json.encode(*values)


class Receipt(Struct, frozen=True, gc=False):
    """The outcome of one message."""

    arrived_ns: int
    """Its first arrival."""
    duplicate: bool


class Enqueuer:
    """Enqueues messages for the workers. One thread at a time."""

    def __init__(  # noqa: PLR0913 - tests pass both clocks
        self,
        redis: Redis,
        consumer: str,
        *,
        queue_limit: int,
        dedupe_window_s: int,
        replicas: int = 0,
        clock: Clock = time.time_ns,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._consumer = consumer
        self._queue = Queue(QUEUE, connection=redis, serializer=_Json)
        self._admission = Admission(redis, queue_limit, monotonic_s=monotonic_s)
        self._dedupe_window_s = dedupe_window_s
        self._replicas = replicas
        self._clock = clock
        self.last_commit_ns: int | None = None
        """When messages were last persisted, Unix ns. Any thread may read it."""

    def accept(
        self,
        arrivals: Sequence[Arrival],
        clocks: Collection[ClockOffset] = (),
        consumer: str = "",
        claims: Collection[tuple[str, str]] = (),
        time_left_s: Callable[[], float] = lambda: replication.WAIT_S,
    ) -> list[Receipt]:
        """Enqueue ``arrivals`` as one job, all or none; when this returns, Redis has it on disk, and so have
        ``replicas`` of its replicas.

        Args:
            clocks: the senders' clock offsets; the newest per run is kept.
            consumer: the consumer tag of the arrival times; default: the one passed to the constructor.
            claims: run and owner of what was sent; a run belongs to the first owner that claims it.
            time_left_s: how long callers still wait; replicas are waited for no longer.

        Raises:
            QueueFull: nothing was queued; QueueOutOfMemory if Redis is out of memory.
            ForeignRun: nothing was queued, because a run belongs to another owner.
            QueueUnavailable: it may or may not have been queued; repeating it is harmless. QueueUnreplicated
                if too few replicas have it on disk.
        """
        claims = list(claims)
        try:
            self._admission.check()
            denied, *done = self._commit(arrivals, clocks, consumer or self._consumer, claims, time_left_s)
        except (RedisError, OSError) as error:
            self._admission.invalidate()
            raise explained(error) from error
        if denied:
            raise ForeignRun([claims[index] for index in denied])
        duplicates, firsts, waiting = done
        self._admission.record_commit(len(arrivals), waiting)
        self.last_commit_ns = self._clock()
        first = dict(zip(duplicates, map(int, firsts), strict=True))
        return [
            Receipt(first.get(index, arrival.arrived_ns), index in first)
            for index, arrival in enumerate(arrivals)
        ]

    def _commit(
        self,
        arrivals: Sequence[Arrival],
        clocks: Collection[ClockOffset],
        consumer: str,
        claims: Sequence[tuple[str, str]],
        time_left_s: Callable[[], float],
    ) -> Any:
        """What REGISTER returns."""
        with replication.pipeline(self._redis, self._replicas, time_left_s=time_left_s) as pipeline:
            queued = self._enqueue(pipeline, arrivals, consumer)
            index = _KeyIndex(queued.key, self._queue.key, *_COUNTED)
            known = [(clock.run, queue.encode_clock(clock)) for clock in clocks]
            arguments = [
                self._dedupe_window_s,
                *_pairs(claims, index),
                *_pairs(known, index),
                *_registered(arrivals, index),
            ]
            pipeline.eval(REGISTER, len(index), *index, *arguments)
            return pipeline.execute()[-1]

    def _enqueue(self, pipeline: Any, arrivals: Sequence[Arrival], consumer: str) -> Job:
        return self._queue.enqueue(
            job.TASK,
            args=(job.encode(consumer, self._clock(), arrivals),),
            pipeline=pipeline,
            description=f"{len(arrivals)} messages",
            job_timeout=-1,  # it waits for as long as the store is unavailable
            result_ttl=0,
            failure_ttl=-1,
            retry=_UNLIMITED_RETRIES,
        )


class _KeyIndex(dict[str, int]):
    """The keys of one call of REGISTER in their order, each with its index in Lua's KEYS."""

    def __init__(self, *first: str) -> None:
        super().__init__((key, number) for number, key in enumerate(first, 1))

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self) + 1
        return number


def _pairs(pairs: Sequence[tuple[str, str]], index: _KeyIndex) -> list[str | int]:
    """How many, then the run (as its index in KEYS) and the text of each, as REGISTER reads them."""
    return [len(pairs), *(word for run, text in pairs for word in (index[keys.run(run)], text))]


def _registered(arrivals: Sequence[Arrival], index: _KeyIndex) -> list[str | int | bytes]:
    """How many runs, and of each its entry in the ledger, its name, its hash and its highest number. Then the
    first arrival, and for each series of messages of one block the place of its run among these, from 1 on,
    the block, and each message's field and arrival, counted from the first one."""
    highest: dict[str, int] = {}
    for arrival in arrivals:
        message = arrival.message
        highest[message.run] = max(message.number, highest.get(message.run, 0))
    words: list[str | int | bytes] = [len(highest)]
    for run, number in highest.items():
        words += (index[keys.ledger_run(run)], run, index[keys.run(run)], number)
    places = {run: place for place, run in enumerate(highest, 1)}
    first_ns = min(arrival.arrived_ns for arrival in arrivals)
    words.append(first_ns)
    for (run, block), group in groupby(arrivals, _block_of):
        series = [
            word for a in group for word in (a.message.number % ARRIVALS_BLOCK, a.arrived_ns - first_ns)
        ]
        words += (places[run], index[keys.arrivals(run, block)], msgspec.msgpack.encode(series))
    return words


def _block_of(arrival: Arrival) -> tuple[str, int]:
    return arrival.message.run, arrival.message.number // ARRIVALS_BLOCK
