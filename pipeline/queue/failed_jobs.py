"""Which jobs failed last, and why, as the page lists them; ``worker.rq_failed`` lists all, with messages."""

from dataclasses import dataclass
from typing import Any

from pipeline.queue import keys
from pipeline.queue.rq_result import failure_reason

SHOWN = 3
"""Jobs that are named."""

_READ = (
    keys.LUA_PREFIXES
    + """
-- ARGV: how many jobs are named. Returns how many there are, then id and newest result of each named one.
local answer = {redis.call('ZCARD', KEYS[1])}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local results = redis.pcall('XREVRANGE', RESULTS .. id, '+', '-', 'COUNT', 1)
  answer[#answer + 1] = {id, results.err and {} or results}
end
return answer
"""
)


@dataclass(frozen=True, slots=True)
class FailedSummary:
    """The failed jobs."""

    jobs: int
    newest: tuple[tuple[str, str], ...]
    """Id and reason of the ``SHOWN`` that failed last."""


def ask(pipeline: Any) -> None:
    """Queue the reading on a redis-py pipeline; ``parse`` reads its answer."""
    pipeline.eval(_READ, 1, keys.RQ_FAILED, SHOWN)


def parse(answer: Any) -> FailedSummary | None:
    """The answer to ``ask``; None where no job has failed, or that can't be read."""
    if isinstance(answer, Exception) or not answer[0]:
        return None
    jobs, *newest = answer
    return FailedSummary(jobs, tuple(_named(job_id, results) for job_id, results in newest))


def _named(job_id: bytes, results: Any) -> tuple[str, str]:
    text = job_id.decode(errors="backslashreplace")
    return text, failure_reason(text, [(entry, _pairs(fields)) for entry, fields in results])


def _pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=True))
