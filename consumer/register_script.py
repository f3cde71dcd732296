"""The script that registers a job's messages, in the transaction that queues the job."""

# KEYS: the job, the queue, the count of all messages that wait, the ledger, its counts of waiting messages by
# run, its runs by their last arrival, then the hash of each run of the call, the entry of each run in the
# ledger and each block of the registry of arrivals, in the order in which ARGV first names them.
# ARGV: the dedupe window in seconds; how many claims, and for each its run and owner; how many clocks, and
# for each its run and what is kept of it; how many runs, and for each its entry, its name, its hash and the
# highest number; then the first arrival, and for each series of messages of one block the place of their run
# among these, the block, and as MessagePack the field of each and its arrival, counted from the first one.
# A run's hash, its entry and a block are given as their index in KEYS.
#
# A run belongs to the owner that its first message named, or to nobody; where a claim is another owner's the
# job is removed from the queue again and nothing is registered.
# The first arrival of a message is kept. Which of the job's messages came before is recorded in the job
# itself (its `meta`), so that is known exactly as long as the job exists, whatever the registry forgets.
# A job without any new message is removed from the queue again: it would count nowhere, so repeats could
# fill the queue without end.
# New messages, and no others, count as accepted and waiting; the job's hash says how many it has of each run.
REGISTER = """
local job, queue, waiting, ledger, waiting_runs, ledger_runs = unpack(KEYS, 1, 6)
local window, at = ARGV[1], 2

local function pairs_of_argv()
  local found = {}
  for i = at + 1, at + 2 * tonumber(ARGV[at]), 2 do
    found[#found + 1] = {KEYS[tonumber(ARGV[i])], ARGV[i + 1]}
  end
  at = at + 1 + 2 * #found
  return found
end

local function delete_job()
  redis.call('RPOP', queue)
  redis.call('DEL', job)
end

local owners, denied = {}, {}
for index, claim in ipairs(pairs_of_argv()) do
  local run, owner = claim[1], claim[2]
  if not owners[run] then
    local known = redis.call('HMGET', run, 'owner', 'duplicates')
    owners[run] = known[1] or (known[2] and '') or owner
  end
  if owners[run] ~= '' and owners[run] ~= owner then
    denied[#denied + 1] = index - 1
  end
end
if #denied > 0 then
  delete_job()
  return {denied}
end
local clocks = pairs_of_argv()

local runs = {}
for i = at + 1, at + 4 * tonumber(ARGV[at]), 4 do
  runs[#runs + 1] = {entry = KEYS[tonumber(ARGV[i])], name = ARGV[i + 1], hash = KEYS[tonumber(ARGV[i + 2])],
                     highest = ARGV[i + 3], new = 0, repeated = 0}
end
at = at + 1 + 4 * #runs

-- Lua's numbers hold fewer digits than a time in nanoseconds has, so seconds and the rest are added apart.
local base_s, base_ns = tonumber(string.sub(ARGV[at], 1, -10)) or 0, tonumber(string.sub(ARGV[at], -9))
local function time_of(offset)
  local s, ns = base_s, base_ns + offset
  if ns >= 1e9 then s, ns = s + math.floor(ns / 1e9), ns % 1e9 end
  return s == 0 and string.format('%d', ns) or string.format('%d%09d', s, ns)
end
-- Of decimal numbers without leading zeros.
local function less(a, b)
  return #a < #b or (#a == #b and a < b)
end

local duplicates, firsts, count = {}, {}, 0
for at = at + 1, #ARGV, 3 do
  local run, block = runs[tonumber(ARGV[at])], KEYS[tonumber(ARGV[at + 1])]
  local series = cmsgpack.unpack(ARGV[at + 2])
  for i = 1, #series, 2 do
    local field, offset = series[i], series[i + 1]
    if redis.call('HSETNX', block, field, time_of(offset)) == 0 then
      duplicates[#duplicates + 1] = count
      firsts[#firsts + 1] = redis.call('HGET', block, field)
      run.repeated = run.repeated + 1
    else
      run.new = run.new + 1
      if not run.first or offset < run.first then run.first = offset end
      if not run.last or offset > run.last then run.last = offset end
    end
    count = count + 1
  end
  redis.call('EXPIRE', block, window)
end

local function enter(run)
  redis.call('HINCRBY', run.entry, 'accepted', run.new)
  redis.call('HINCRBY', waiting_runs, run.name, run.new)
  local known = redis.call('HMGET', run.entry, 'highest', 'first_ns', 'last_ns')
  local first_new, last_new = time_of(run.first), time_of(run.last)
  local highest, first, last = known[1] or run.highest, known[2] or first_new, known[3] or last_new
  if less(highest, run.highest) then highest = run.highest end
  if less(first_new, first) then first = first_new end
  if less(last, last_new) then last = last_new end
  redis.call('HSET', run.entry, 'highest', highest, 'first_ns', first, 'last_ns', last)
  redis.call('ZADD', ledger_runs, last, run.name)
end

local shares, first = {}, nil
for _, run in ipairs(runs) do
  redis.call('HINCRBY', run.hash, 'duplicates', run.repeated)
  if owners[run.hash] and owners[run.hash] ~= '' then
    redis.call('HSET', run.hash, 'owner', owners[run.hash])
  end
  redis.call('EXPIRE', run.hash, window)
  if run.new > 0 then
    enter(run)
    shares[run.name] = run.new
    first = math.min(first or run.first, run.first)
  end
end
for _, clock in ipairs(clocks) do
  redis.call('HSET', clock[1], 'clock', clock[2])
  redis.call('EXPIRE', clock[1], window)
end
local new = count - #duplicates
if new == 0 then
  delete_job()
else
  redis.call('HINCRBY', ledger, 'accepted', new)
  redis.call('HSET', job, 'messages', new, 'runs', cjson.encode(shares), 'first_ns', time_of(first))
  if #duplicates > 0 then
    redis.call('HSET', job, 'meta', cjson.encode({duplicates = duplicates}))
  end
end
return {denied, duplicates, firsts, redis.call('INCRBY', waiting, new)}
"""
