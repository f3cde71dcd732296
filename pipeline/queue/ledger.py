"""The ledger: accepted = stored + waiting + failed, in all and by run.

Redis has all of it but what is stored. ``accepted`` and ``waiting`` are counted in the transaction that
registers and queues messages (``consumer.register_script``); the script that ends a job moves its messages
from ``waiting`` to ``failed``, or removes them (``worker.queue_scripts``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from pipeline.message import ClockOffset
from pipeline.queue import keys
from pipeline.queue.client import decode_clock
from pipeline.queue.ledger_scripts import TALLY

FEW = 100
"""Up to this many jobs are counted one by one at each reading; of more, the counters are read."""

RECENT_RUNS = 16
"""The runs that were accepted last and that each reading names."""


@dataclass(frozen=True, slots=True)
class RunLedger:
    """What Redis knows of one run."""

    run: str
    accepted: int | None
    """Messages accepted since ``first_arrived_ns``; None where the run has no entry. Where the database has
    an earlier arrival of the run, the entry does not cover the run's beginning."""
    waiting: int
    failed: int
    highest: int | None
    """The highest number accepted."""
    first_arrived_ns: int | None
    last_arrived_ns: int | None
    duplicates: int | None
    """Messages that were accepted again; None once the dedupe window has passed."""
    clock: ClockOffset | None = None
    """Between the run's sender and the consumer, where the sender reported it."""


@dataclass(frozen=True, slots=True)
class QueueLedger:
    """What Redis knows of all messages, at one moment."""

    accepted: int | None
    """The baseline included; None while there is no baseline."""
    registered: int
    """Accepted since this Redis has a ledger, without the baseline."""
    waiting: int
    """Accepted and neither stored nor failed, those held by a worker included."""
    failed: int
    runs: Mapping[str, RunLedger]
    held_jobs: int
    """Jobs that a worker has dequeued or started."""
    oldest_waiting_ns: int | None
    """The earliest arrival among the messages that wait; None where none is known."""
    queued_jobs: int
    """Jobs that wait in the queue."""
    jobs: int
    """Jobs that wait or are held."""
    counted: bool
    """Whether ``waiting`` was counted from the jobs; else it is the counter's value."""


_READ = (
    TALLY
    + """
local queue, intermediate, started, scheduled, failed, recent = unpack(KEYS, 5)
-- ARGV: how many jobs are few, how many recent runs, then runs.
local few, newest = tonumber(ARGV[1]), tonumber(ARGV[2])
local queued, dequeued = redis.call('LLEN', queue), redis.call('LLEN', intermediate)
local running, later = redis.call('ZCARD', started), redis.call('ZCARD', scheduled)
local jobs = queued + dequeued + running + later
local counted = jobs <= few

local function up_to(count) return counted and -1 or count - 1 end
local alive = tally()
for _, id in ipairs(redis.call('LRANGE', intermediate, 0, up_to(few))) do tally_job(alive, id) end
for _, member in ipairs(redis.call('ZRANGE', started, 0, up_to(few))) do tally_job(alive, job_of(member)) end
for _, id in ipairs(redis.call('ZRANGE', scheduled, 0, up_to(1))) do tally_job(alive, id) end
for _, id in ipairs(redis.call('LRANGE', queue, 0, up_to(1))) do tally_job(alive, id) end

local dead
if redis.call('ZCARD', failed) <= few then
  dead = tally()
  for _, id in ipairs(redis.call('ZRANGE', failed, 0, -1)) do tally_job(dead, id, true) end
end

local totals = redis.call('HMGET', ledger, 'accepted', 'baseline', 'failed')
local known, answers = {}, {}
local function add(run)
  if known[run] then return end
  known[run] = true
  local entry = redis.call('HMGET', LEDGER_RUN .. run, 'accepted', 'highest', 'first_ns', 'last_ns')
  answers[#answers + 1] = {
    run,
    entry[1] or '', entry[2] or '', entry[3] or '', entry[4] or '',
    counted and (alive.runs[run] or 0) or redis.call('HGET', waiting_runs, run) or 0,
    dead and (dead.runs[run] or 0) or redis.call('HGET', failed_runs, run) or 0,
    unpack(redis.call('HMGET', RUN .. run, 'duplicates', 'clock')),
  }
end
for _, run in ipairs(redis.call('ZREVRANGE', recent, 0, newest - 1)) do add(run) end
for i = 3, #ARGV do add(ARGV[i]) end

return {
  totals[1] or 0, totals[2] or '',
  counted and alive.messages or redis.call('GET', waiting) or 0,
  dead and dead.messages or totals[3] or 0,
  dequeued + running, alive.first or '', queued, jobs, counted and 1 or 0,
  answers,
}
"""
)


def read(redis: Redis, runs: Collection[str], *, recent: int = RECENT_RUNS) -> QueueLedger:
    """The ledger at one moment: the totals, ``runs``, and the ``recent`` runs that were accepted last.

    One call that writes nothing; it takes longer with more runs, and with more jobs up to ``FEW``.
    Raises redis.RedisError.
    """
    with redis.pipeline(transaction=False) as pipeline:
        ask(pipeline, runs, recent=recent)
        return parse(pipeline.execute()[0])


def ask(pipeline: Any, runs: Collection[str], *, recent: int = RECENT_RUNS) -> None:
    """Queue a reading on a redis-py pipeline, beside others; ``parse`` reads its answer."""
    names = (*keys.COUNTED, *keys.JOBS, keys.LEDGER_RUNS)
    pipeline.eval(_READ, len(names), *names, FEW, recent, *runs)


def parse(answer: Any) -> QueueLedger:
    """The answer to ``ask``."""
    registered, baseline, waiting, failed, held, oldest, queued, jobs, counted, entries = answer
    return QueueLedger(
        accepted=None if baseline == b"" else int(registered) + int(baseline),
        registered=int(registered),
        waiting=max(0, int(waiting)),
        failed=max(0, int(failed)),
        runs={run.run: run for run in map(_run, entries)},
        held_jobs=held,
        oldest_waiting_ns=_or_none(oldest),
        queued_jobs=queued,
        jobs=jobs,
        counted=bool(counted),
    )


def _run(entry: list[Any]) -> RunLedger:
    raw, accepted, highest, first_ns, last_ns, waiting, failed, duplicates, clock = entry
    run = raw.decode()
    return RunLedger(
        run=run,
        accepted=_or_none(accepted),
        waiting=max(0, int(waiting)),
        failed=max(0, int(failed)),
        highest=_or_none(highest),
        first_arrived_ns=_or_none(first_ns),
        last_arrived_ns=_or_none(last_ns),
        duplicates=None if duplicates is None else int(duplicates),
        clock=decode_clock(run, clock) if clock else None,
    )


def _or_none(text: bytes) -> int | None:
    return None if text == b"" else int(text)
