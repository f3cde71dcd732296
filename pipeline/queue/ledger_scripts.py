"""The Lua by which the scripts of consumer, worker and web service count the ledger.

``COUNTING`` needs ``pipeline.queue.keys.LUA_PREFIXES`` before it, and these local variables for the keys:
``waiting``, ``ledger``, ``waiting_runs``, ``failed_runs``; ``TALLY`` needs ``COUNTING``.

A job's *share* is the number of its messages that wait or have failed, in all (``messages`` in its hash) and
by run (``runs``). A job that did not come from the consumer has none; one of a version before the ledger has
no ``runs``. Whatever else stands there counts as nothing: a script must not stop in its middle.
"""

MAX_JOB = 1_000_000
"""A larger number of messages in a job is not believed."""

COUNTING = f"""
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

-- How many messages of a job count, how many by run (nil: of a version before the ledger).
local function share_of(id)
  local found = redis.pcall('HMGET', JOB .. id, 'messages', 'runs')
  if found.err then return 0, {{}} end
  return whole(found[1]), found[2] and by_run(found[2]) or nil
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
  if not runs then return end
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

TALLY = """
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
