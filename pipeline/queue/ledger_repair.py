"""What keeps the ledger's counters true and its size bounded; workers run it every few seconds."""

from typing import cast

from redis import Redis

from pipeline.queue import keys
from pipeline.queue.ledger_scripts import TALLY

MAX_COUNTED = 1_000
"""Up to this many jobs, and as many failed ones, are counted one by one."""

MAX_RUNS = 10_000
"""Runs that have an entry in the ledger."""

CHUNK = 500
"""Runs that one call checks: Redis does nothing else meanwhile."""

# Nothing is written where all is right, and the first write is one that a full Redis allows.
_RECONCILE = (
    TALLY
    + """
local queue, intermediate, started, scheduled, failed = unpack(KEYS, 5)
-- ARGV: how many jobs are counted at most.
local most = tonumber(ARGV[1])

local function replace_runs(key, runs)
  local known, same = redis.pcall('HGETALL', key), true
  local fields = {}
  for run, n in pairs(runs) do
    fields[#fields + 1] = run
    fields[#fields + 1] = n
  end
  if known.err or #known ~= #fields then
    same = false
  else
    for i = 1, #known, 2 do same = same and runs[known[i]] == tonumber(known[i + 1]) end
  end
  if same then return end
  redis.call('DEL', key)
  for i = 1, #fields, 1000 do redis.call('HSET', key, unpack(fields, i, math.min(i + 999, #fields))) end
end

local jobs = redis.call('LLEN', queue) + redis.call('LLEN', intermediate)
           + redis.call('ZCARD', started) + redis.call('ZCARD', scheduled)
if jobs <= most then
  local alive = tally()
  for _, list in ipairs({queue, intermediate}) do
    for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do tally_job(alive, id) end
  end
  for _, member in ipairs(redis.call('ZRANGE', started, 0, -1)) do tally_job(alive, job_of(member)) end
  for _, id in ipairs(redis.call('ZRANGE', scheduled, 0, -1)) do tally_job(alive, id) end
  if alive.messages ~= (tonumber(redis.pcall('GET', waiting)) or 0) then
    redis.call('DEL', waiting)
    if alive.messages > 0 then redis.call('SET', waiting, alive.messages) end
  end
  replace_runs(waiting_runs, alive.runs)
end
if redis.call('ZCARD', failed) <= most then
  local dead = tally()
  for _, id in ipairs(redis.call('ZRANGE', failed, 0, -1)) do tally_job(dead, id, true) end
  if dead.messages ~= (tonumber(redis.pcall('HGET', ledger, 'failed')) or 0) then
    redis.call('HDEL', ledger, 'failed')
    if dead.messages > 0 then redis.call('HSET', ledger, 'failed', dead.messages) end
  end
  replace_runs(failed_runs, dead.runs)
end
"""
)

_EVICT = (
    keys.LUA_PREFIXES
    + """
local ledger_runs, waiting_runs, failed_runs = unpack(KEYS)
-- ARGV: how many of the oldest runs to skip, how many to check, and how many to evict at most.
-- Returns how many were evicted, and how many were kept since messages of them wait or have failed.
local skip, count, surplus = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local evicted, kept = 0, 0
for _, run in ipairs(redis.call('ZRANGE', ledger_runs, skip, skip + count - 1)) do
  if evicted == surplus then break end
  if redis.call('HEXISTS', waiting_runs, run) == 1 or redis.call('HEXISTS', failed_runs, run) == 1 then
    kept = kept + 1
  else
    redis.call('ZREM', ledger_runs, run)
    redis.call('DEL', LEDGER_RUN .. run)
    evicted = evicted + 1
  end
end
return {evicted, kept}
"""
)


def reconcile(redis: Redis) -> None:
    """Count the messages that wait and that failed from the jobs that exist, if there are few.

    The counters alone miss jobs that were deleted or requeued by other tools. Raises redis.RedisError.
    """
    names = (*keys.COUNTED, *keys.JOBS)
    redis.eval(_RECONCILE, len(names), *names, MAX_COUNTED)


def evict_runs(redis: Redis, *, most: int = MAX_RUNS, max_checked: int = 10 * CHUNK) -> int:
    """Delete the entries of the runs above ``most`` with the oldest last accepted message; returns how many.

    A run of which messages wait or have failed stays. What is known of all runs together does not change.
    ``max_checked`` bounds the work of one call. Raises redis.RedisError.
    """
    surplus = int(redis.zcard(keys.LEDGER_RUNS)) - most
    done = skipped = 0
    names = (keys.LEDGER_RUNS, keys.WAITING_RUNS, keys.FAILED_RUNS)
    while done < surplus and done + skipped < max_checked:
        answer = redis.eval(_EVICT, len(names), *names, skipped, CHUNK, surplus - done)
        evicted, kept = cast("list[int]", answer)
        if not evicted and not kept:
            break
        done, skipped = done + evicted, skipped + kept
    return done
