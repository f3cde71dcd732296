"""The Lua by which the scripts of consumer, worker and web service count the ledger.

A script begins with one of these texts. Its first keys are ``pipeline.queue.keys.COUNTED``; the prefixes of
``pipeline.queue.keys.LUA_PREFIXES`` are known in it.

A job's *share* is the number of its messages that wait or have failed, in all (``messages`` in its hash) and
by run (``runs``). A job that did not come from the consumer has none; one of a version before the ledger has
no ``runs``. Any other content counts as nothing: a script must not stop in its middle.
"""

from pipeline.queue import keys

MAX_JOB = 1_000_000
"""A larger number of messages in a job is ignored."""

_COUNTING = f"""{keys.LUA_PREFIXES}
local waiting, ledger, waiting_runs, failed_runs = unpack(KEYS, 1, {len(keys.COUNTED)})

local function whole(text)
  local count = tonumber(text)
  if count and count > 0 and count <= {MAX_JOB} then return math.floor(count) end
  return 0
end

-- A table of counts by run from JSON.
local function by_run(text)
  local ok, found = pcall(cjson.decode, text)
  local counts = {{}}
  if ok and type(found) == 'table' then
    for run, count in pairs(found) do
      if type(run) == 'string' and whole(count) > 0 then counts[run] = whole(count) end
    end
  end
  return counts
end

-- Fields never fall below zero, and are gone at zero.
local function bump(key, field, by)
  if by == 0 then return end
  local sum = redis.pcall('HINCRBY', key, field, by)
  if type(sum) ~= 'number' or sum <= 0 then
    redis.pcall('HDEL', key, field)
    if by > 0 then redis.pcall('HSET', key, field, by) end
  end
end

local function count_waiting(count, runs, sign)
  if count > 0 then
    local sum = redis.pcall('INCRBY', waiting, sign * count)
    if type(sum) ~= 'number' or sum <= 0 then
      redis.call('DEL', waiting)
      if sign > 0 then redis.call('SET', waiting, count) end
    end
  end
  for run, n in pairs(runs or {{}}) do bump(waiting_runs, run, sign * n) end
end

local function count_failed(count, runs, sign)
  if not runs then return end  -- of a version before the ledger, or of other programs
  bump(ledger, 'failed', sign * count)
  for run, n in pairs(runs) do bump(failed_runs, run, sign * n) end
end

-- Of a run without an entry it is not known how many were accepted.
local function count_accepted(count, runs, sign)
  if count ~= 0 then redis.pcall('HINCRBY', ledger, 'accepted', sign * count) end
  for run, n in pairs(runs or {{}}) do
    if redis.pcall('HEXISTS', LEDGER_RUN .. run, 'accepted') == 1 then
      redis.pcall('HINCRBY', LEDGER_RUN .. run, 'accepted', sign * n)
    end
  end
end

local function sum_of(runs)
  local sum = 0
  for _, n in pairs(runs) do sum = sum + n end
  return sum
end
"""

ENDING = (
    _COUNTING
    + """
local function share_of(id)
  local found = redis.pcall('HMGET', JOB .. id, 'messages', 'runs', 'repeats', 'adopted', 'stored')
  if found.err then found = {} end
  return {count = whole(found[1]), runs = found[2] and by_run(found[2]), repeats = by_run(found[3] or ''),
          adopted = found[4], is_foreign = not found[1], stored = by_run(found[5] or '')}
end

-- Messages that another job had brought were accepted once too often. A job may end more than once: what was
-- subtracted before is in its hash.
local function subtract_repeats(share, repeats)
  if not share.runs then return end
  local rest = {}
  for run, n in pairs(repeats) do rest[run] = math.max(0, n - (share.repeats[run] or 0)) end
  count_accepted(sum_of(rest), rest, -1)
end

-- What no consumer accepted counts as accepted when this job has stored it, and not while it is failed.
local function adopt(share, stored, repeats)
  if share.runs or not (share.is_foreign or share.adopted) then return false end
  local new = {}
  for run, n in pairs(stored) do
    local before = (share.stored[run] or 0) - (share.repeats[run] or 0)
    new[run] = math.max(0, n - (repeats[run] or 0) - before)
  end
  count_accepted(sum_of(new) - (share.adopted and share.count or 0), new, 1)
  return true
end

-- The job ends: all of its messages are stored, by it or by another job.
local function end_job(id, stored, repeats, has_failed)
  local share = share_of(id)
  local count = has_failed and count_failed or count_waiting
  count(share.count, share.runs, -1)
  subtract_repeats(share, repeats)
  adopt(share, stored, repeats)
end

-- The job fails: all of its messages but those that are stored (by run) have failed. If it failed before, its
-- share no longer has those that were stored then.
local function fail_job(id, stored, repeats)
  local share = share_of(id)
  count_waiting(share.count, share.runs, -1)
  subtract_repeats(share, repeats)
  local is_adopted = adopt(share, stored, repeats)
  local runs = {}
  for run, n in pairs(share.runs or {}) do
    local rest = n - math.max(0, (stored[run] or 0) - (share.stored[run] or 0))
    if rest > 0 then runs[run] = rest end
  end
  local count = share.runs and sum_of(runs) or math.max(0, share.count - sum_of(stored))
  for run, n in pairs(share.stored) do stored[run] = math.max(n, stored[run] or 0) end
  for run, n in pairs(share.repeats) do repeats[run] = math.max(n, repeats[run] or 0) end
  redis.call('HSET', JOB .. id, 'stored', cjson.encode(stored), 'repeats', cjson.encode(repeats))
  if is_adopted then  -- nothing of it counts any more, as before it was queued again
    redis.call('HDEL', JOB .. id, 'messages', 'adopted')
    return
  end
  count_failed(count, runs, 1)
  redis.call('HSET', JOB .. id, 'messages', count, 'runs', cjson.encode(runs))
end
"""
)
"""What becomes of a job's share when it ends."""

TALLY = (
    _COUNTING
    + """
-- The shares of jobs, each counted once: in all, by run, and the earliest arrival.
local function tally()
  return {messages = 0, runs = {}, seen = {}, first = false}
end

local function earlier(a, b)  -- both are decimal; too large for Lua's numbers to be exact
  return #a < #b or (#a == #b and a < b)
end

local function tally_job(total, id, is_failed)
  if total.seen[id] then return end
  total.seen[id] = true
  local found = redis.pcall('HMGET', JOB .. id, 'messages', 'runs', 'first_ns')
  if found.err or (is_failed and not found[2]) then return end
  total.messages = total.messages + whole(found[1])
  for run, n in pairs(found[2] and by_run(found[2]) or {}) do
    total.runs[run] = (total.runs[run] or 0) + n
  end
  local first = found[3]
  if first and string.match(first, '^%d+$') and (not total.first or earlier(first, total.first)) then
    total.first = first
  end
end

local function job_of(member) return string.match(member, '^(.*):') or member end
"""
)
"""How many messages the jobs have that are somewhere now."""
