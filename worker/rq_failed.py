"""The failed registry of RQ: what it holds, and how its jobs are queued again or deleted.

Each change of a job is one script: whole or not at all. A script begins with a write that needs no memory
(``ZREM``), so both work in a full Redis too. Keys of single jobs are built as in ``worker.queue_scripts``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar, cast

from redis import Redis
from redis.exceptions import ResponseError
from rq.utils import now, utcformat

from pipeline.queue import keys
from pipeline.queue.job import content
from pipeline.queue.ledger_scripts import ENDING
from pipeline.queue.rq_result import failure_reason
from worker.rq_jobs import sound

_T = TypeVar("_T")

FIRST = 3
"""Messages of a job that are named."""

CHUNK = 500
"""Jobs that one call reads or changes: Redis does nothing else meanwhile."""

_REQUEUE = (
    ENDING
    + """
local failed, queue = unpack(KEYS, 5)
-- ARGV: now (text), then id and number of messages of each job, oldest first; the number is for a job whose
-- hash has none. They go to the end of the queue, and their messages wait again. Returns the ids that did.
local moved = {}
for i = 2, #ARGV, 2 do
  local id, key = ARGV[i], JOB .. ARGV[i]
  if redis.call('TYPE', key).ok == 'hash' and redis.call('ZREM', failed, id) == 1 then
    local share = share_of(id)
    if not share.runs then  -- no consumer of this version accepted it, so it counts from now on
      if share.is_foreign then share.count = whole(ARGV[i + 1]) end
      redis.call('HSET', key, 'messages', share.count, 'adopted', 1)
      count_accepted(share.count, nil, 1)
    end
    count_failed(share.count, share.runs, -1)
    count_waiting(share.count, share.runs, 1)
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[1])
    redis.call('HDEL', key, 'started_at', 'ended_at')
    redis.call('PERSIST', key)
    redis.call('RPUSH', queue, id)
    moved[#moved + 1] = id
  end
end
return moved
"""
)

_DROP = (
    ENDING
    + """
local failed = KEYS[5]
-- ARGV: of each job its id, how many messages, and of each of these its block in the registry of arrivals and
-- its field there. Returns the ids that were in the failed registry; nothing is left of them.
local dropped, at = {}, 1
while at < #ARGV do
  local id, last = ARGV[at], at + 1 + 2 * tonumber(ARGV[at + 1])
  if redis.call('ZREM', failed, id) == 1 then
    local share = share_of(id)
    count_failed(share.count, share.runs, -1)
    if share.runs then count_accepted(share.count, share.runs, -1) end
    for i = at + 2, last, 2 do
      if redis.call('EXISTS', ARGV[i]) == 1 then redis.pcall('HSET', ARGV[i], ARGV[i + 1], 1) end
    end
    redis.call('DEL', JOB .. id, RESULTS .. id, EXECUTIONS .. id)
    dropped[#dropped + 1] = id
  end
  at = last + 1
end
return dropped
"""
)


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job in the failed registry."""

    id: str
    failed_at: str
    """RFC 3339, UTC; empty where RQ kept none."""
    messages: int
    """How many it carries, the stored ones beside the rejected included; 0 where it can't be read."""
    first: tuple[str, ...]
    """The first ``FIRST`` of them, as ``run:number``, malformed ones left out."""
    reason: str
    has_content: bool
    """False where only its id is left, so that there is nothing to queue."""


class FailedJobs:
    """The failed registry. Every method raises redis.RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self) -> list[FailedJob]:
        """All of them, oldest first."""
        ids = cast("list[bytes]", self._redis.zrange(keys.RQ_FAILED, 0, -1))
        jobs = chain.from_iterable(self._read(chunk) for chunk in _chunks(ids))
        return sorted(jobs, key=lambda job: (job.failed_at, job.id))

    def requeue(self, jobs: Sequence[FailedJob]) -> list[str]:
        """Queue those again that are still there and have content; returns their ids."""
        moved: list[bytes] = []
        for chunk in _chunks(jobs):
            words = [word for job in chunk for word in (_raw(job), str(job.messages).encode())]
            names = (*keys.COUNTED, keys.RQ_FAILED, keys.RQ_QUEUE)
            answer = self._redis.eval(_REQUEUE, len(names), *names, utcformat(now()), *words)
            moved += cast("list[bytes]", answer)
        return [_text(each) for each in moved]

    def drop(self, jobs: Sequence[FailedJob]) -> list[str]:
        """Delete those that are still there, for good; returns their ids."""
        dropped: list[bytes] = []
        names = (*keys.COUNTED, keys.RQ_FAILED)
        for job in jobs:
            fields = self._registry_fields(job)
            counted = str(len(fields) // 2)
            answer = self._redis.eval(_DROP, len(names), *names, _raw(job), counted, *fields)
            dropped += cast("list[bytes]", answer)
        return [_text(each) for each in dropped]

    def _registry_fields(self, job: FailedJob) -> list[str]:
        """Of each message of the job its block in the registry of arrivals, and what marks it as dropped."""
        try:
            fields = self._redis.hmget(keys.RQ_JOB.encode() + _raw(job), "data", "meta")
        except ResponseError as error:
            fields = sound(error) or [None, None]
        decoded = content(job.id, *cast("list[bytes | None]", fields))
        named = (arrival.message for arrival in decoded.batch.arrivals) if decoded else ()
        words: list[str] = []
        for message in named:
            block, field = divmod(message.number, keys.ARRIVALS_BLOCK)
            words += (keys.arrivals(message.run, block), f"{keys.DROPPED}{field}")
        return words

    def _read(self, ids: Sequence[bytes]) -> Iterator[FailedJob]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hmget(keys.RQ_JOB.encode() + job_id, "data", "meta", "messages", "ended_at")
                pipeline.xrevrange(keys.RQ_RESULTS.encode() + job_id, count=1)
            answers = pipeline.execute(raise_on_error=False)
        for job_id, fields, results in zip(ids, answers[::2], answers[1::2], strict=True):
            yield _failed_job(_text(job_id), sound(fields), sound(results))


def _failed_job(job_id: str, fields: Any, results: Any) -> FailedJob:
    data, meta, messages, ended_at = fields or [None] * 4
    decoded = content(job_id, data, meta)
    arrivals = decoded.batch.arrivals if decoded else ()
    count = len(arrivals) + len(decoded.malformed) if decoded else _whole(messages)
    named = tuple(f"{one.message.run}:{one.message.number}" for one in arrivals[:FIRST])
    has_content = any(field is not None for field in (data, messages, ended_at))
    return FailedJob(
        job_id, _text(ended_at or b""), count, named, failure_reason(job_id, results), has_content
    )


def _whole(field: bytes | None) -> int:
    return int(field) if field and field.isdigit() else 0


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _raw(job: FailedJob) -> bytes:
    return job.id.encode(errors="surrogateescape")


def _chunks(some: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (some[start : start + CHUNK] for start in range(0, len(some), CHUNK))
