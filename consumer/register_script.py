"""The script that registers a job's messages, in the transaction that queues the job."""

# KEYS: the job, the queue, the count of all messages that wait, then the hash of each run of the call, then
# each block of the registry of arrivals, in the order in which ARGV first names them.
# ARGV: the dedupe window in seconds; how many claims, and for each its run and owner; how many clocks, and
# for each its run and what is kept of it; then for each series of messages of one block their run, the block,
# their count, and for each its field and arrival.
# A run or a block is given as its index in KEYS.
#
# A run belongs to the owner that its first message named, or to nobody; where a claim is another owner's the
# job is removed from the queue again and nothing is registered.
# The first arrival of a message sticks. Which of the job's messages came before is recorded in the job
# itself (its `meta`), so that is known exactly as long as the job exists, whatever the registry forgets.
# A job without any new message is removed from the queue again: it would count nowhere, so repeats could
# fill the queue without end.
REGISTER = """
local job, queue, waiting = unpack(KEYS, 1, 3)
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

local duplicates, firsts, repeated, count = {}, {}, {}, 0
while at < #ARGV do
  local run, block = KEYS[tonumber(ARGV[at])], KEYS[tonumber(ARGV[at + 1])]
  local last = at + 1 + 2 * tonumber(ARGV[at + 2])
  repeated[run] = repeated[run] or 0
  for i = at + 3, last, 2 do
    if redis.call('HSETNX', block, ARGV[i], ARGV[i + 1]) == 0 then
      duplicates[#duplicates + 1] = count
      firsts[#firsts + 1] = redis.call('HGET', block, ARGV[i])
      repeated[run] = repeated[run] + 1
    end
    count = count + 1
  end
  redis.call('EXPIRE', block, window)
  at = last + 2
end
for run, again in pairs(repeated) do
  redis.call('HINCRBY', run, 'duplicates', again)
  if owners[run] and owners[run] ~= '' then
    redis.call('HSET', run, 'owner', owners[run])
  end
  redis.call('EXPIRE', run, window)
end
for _, clock in ipairs(clocks) do
  redis.call('HSET', clock[1], 'clock', clock[2])
  redis.call('EXPIRE', clock[1], window)
end
local new = count - #duplicates
if new == 0 then
  delete_job()
else
  redis.call('HSET', job, 'messages', new)
  if #duplicates > 0 then
    redis.call('HSET', job, 'meta', cjson.encode({duplicates = duplicates}))
  end
end
return {denied, duplicates, firsts, redis.call('INCRBY', waiting, new)}
"""
