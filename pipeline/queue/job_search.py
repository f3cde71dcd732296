"""Searches for single messages in the jobs that are in Redis.

Meanwhile jobs move on: a message that was in none may be stored by now. So ask the database again about
whatever was not found here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from redis import Redis

from pipeline.clock import to_ns
from pipeline.message import Arrival
from pipeline.queue import keys
from pipeline.queue.job import DecodedJob, content
from pipeline.queue.rq_result import failure_reason

MAX_JOBS = 5_000
"""Jobs of each kind (held, waiting, failed) that are searched, the oldest first."""

CHUNK = 200
"""Jobs that are read at a time."""

JobState = Literal["waiting", "held", "failed"]

_HASH = ("data", "meta", "worker_name", "enqueued_at", "started_at", "ended_at")
_runs = msgspec.json.Decoder(dict[str, int])


@dataclass(frozen=True, slots=True)
class Found:
    """A message in a job. All times are Unix nanoseconds."""

    state: JobState
    job: str
    worker: str | None
    """Who holds it or failed with it; None while nobody has started it."""
    failed_ns: int | None
    """When it failed; None while it has not."""
    reason: str | None
    """Why it failed."""
    sent_ns: int
    gateway_ns: int | None
    arrived_ns: int
    queued_ns: int
    taken_ns: int | None
    """When a worker started its job, the last time; None if none has."""


@dataclass(frozen=True, slots=True)
class _Job:
    state: JobState
    id: str
    fields: dict[str, bytes]
    content: DecodedJob


def find(redis: Redis, run: str, number: int) -> Found | None:
    """Where the message is now; None where no job that is searched has it (``unsearched``). Ask the database
    first: what a failed job carries beside its rejected messages is stored. Raises redis.RedisError.
    """
    for job in _jobs_of(redis, run):
        for arrival in job.content.batch.arrivals:
            if (arrival.message.run, arrival.message.number) == (run, number):
                return _found(redis, job, arrival)
    return None


def unsearched(redis: Redis) -> JobState | None:
    """The state of jobs of which there are more than are searched; None where all are.

    Raises redis.RedisError.
    """
    return next((state for state, count in _counts(redis) if count > MAX_JOBS), None)


def is_remembered(redis: Redis, run: str, number: int) -> bool:
    """Whether the registry of arrivals has the message: it was accepted within the dedupe window.

    Raises redis.RedisError.
    """
    return number in _accepted(redis, run, [number])


def lost_numbers(redis: Redis, run: str, candidates: Iterable[int]) -> list[int]:
    """Which of the numbers were accepted, by the registry of arrivals, and are in no job; in rising order.

    The registry forgets a message after the dedupe window. None is named while more than ``MAX_JOBS`` jobs
    wait, are held or have failed. Raises redis.RedisError.
    """
    accepted = set(_accepted(redis, run, sorted(set(candidates))))
    if not accepted or unsearched(redis):
        return []
    for job in _jobs_of(redis, run):
        accepted.difference_update(
            arrival.message.number for arrival in job.content.batch.arrivals if arrival.message.run == run
        )
    return sorted(accepted)


def _accepted(redis: Redis, run: str, numbers: Sequence[int]) -> Iterator[int]:
    for start in range(0, len(numbers), CHUNK):
        chunk = numbers[start : start + CHUNK]
        with redis.pipeline(transaction=False) as pipeline:
            for number in chunk:
                field = str(number % keys.ARRIVALS_BLOCK)
                block = keys.arrivals(run, number // keys.ARRIVALS_BLOCK)
                pipeline.hmget(block, field, f"{keys.DROPPED}{field}")
            answers = pipeline.execute()
        yield from (
            number
            for number, (arrived, dropped) in zip(chunk, answers, strict=True)
            if arrived is not None and dropped is None
        )


def _counts(redis: Redis) -> list[tuple[JobState, int]]:
    """How many jobs are on each list, and their state."""
    states: list[JobState] = ["waiting", "waiting", "held", "held", "failed"]
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(keys.RQ_QUEUE)
        pipeline.zcard(keys.RQ_SCHEDULED)
        pipeline.llen(keys.RQ_INTERMEDIATE)
        pipeline.zcard(keys.RQ_STARTED)
        pipeline.zcard(keys.RQ_FAILED)
        return list(zip(states, cast("list[int]", pipeline.execute()), strict=True))


def _jobs_of(redis: Redis, run: str) -> Iterator[_Job]:
    """The jobs that carry messages of ``run``, those that are about to move on first."""
    last = MAX_JOBS - 1
    # In the direction in which a job moves, so that none is missed that moves meanwhile.
    yield from _read(redis, run, "waiting", lambda: redis.lrange(keys.RQ_QUEUE, 0, last))
    yield from _read(redis, run, "waiting", lambda: redis.zrange(keys.RQ_SCHEDULED, 0, last))
    yield from _read(redis, run, "held", lambda: redis.lrange(keys.RQ_INTERMEDIATE, 0, last))
    yield from _read(redis, run, "held", lambda: redis.zrange(keys.RQ_STARTED, 0, last))
    yield from _read(redis, run, "failed", lambda: redis.zrange(keys.RQ_FAILED, 0, last))


def _read(redis: Redis, run: str, state: JobState, listed: Any) -> Iterator[_Job]:
    ids = [_text(member).partition(":")[0] for member in listed()]
    for start in range(0, len(ids), CHUNK):
        yield from _read_chunk(redis, run, state, ids[start : start + CHUNK])


def _read_chunk(redis: Redis, run: str, state: JobState, ids: Sequence[str]) -> Iterator[_Job]:
    with redis.pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hget(keys.rq_job(job_id), "runs")
        shares = pipeline.execute(raise_on_error=False)
    wanted = [job_id for job_id, share in zip(ids, shares, strict=True) if _may_carry(share, run)]
    with redis.pipeline(transaction=False) as pipeline:
        for job_id in wanted:
            pipeline.hmget(keys.rq_job(job_id), *_HASH)
        hashes = pipeline.execute(raise_on_error=False)
    for job_id, values in zip(wanted, hashes, strict=True):
        if isinstance(values, list) and (carried := content(job_id, *values[:2])):
            fields = {name: value for name, value in zip(_HASH, values, strict=True) if value}
            yield _Job(state, job_id, fields, carried)


def _may_carry(share: Any, run: str) -> bool:
    """Whether a job with this ``runs`` may have messages of the run; one without it may."""
    try:
        return share is None or run in _runs.decode(share)
    except (msgspec.MsgspecError, TypeError):
        return True


def _found(redis: Redis, job: _Job, arrival: Arrival) -> Found:
    batch, message = job.content.batch, arrival.message
    failed_ns, reason = None, None
    if job.state == "failed":
        failed_ns = _ns(job.fields.get("ended_at"))
        reason = failure_reason(job.id, redis.xrevrange(f"{keys.RQ_RESULTS}{job.id}", count=1))
    worker = _text(job.fields.get("worker_name", b"")) if job.state != "waiting" else ""
    return Found(
        state=job.state,
        job=job.id,
        worker=worker or None,
        failed_ns=failed_ns,
        reason=reason,
        sent_ns=message.sent_ns,
        gateway_ns=message.gateway_ns,
        arrived_ns=arrival.arrived_ns,
        queued_ns=batch.queued_ns,
        taken_ns=_ns(job.fields.get("started_at")),
    )


def _ns(moment: bytes | None) -> int | None:
    """A time as RQ writes it; None where there is none."""
    try:
        return to_ns(datetime.fromisoformat(_text(moment or b"")))
    except (ValueError, TypeError):
        return None


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
