"""The script that registers a job's messages, in the transaction that queues the job."""

# KEYS: the job, the queue, the count of all messages that wait.
# ARGV: the dedupe window in seconds; then for each message its run, block, field and arrival.
#
# The first arrival of a message sticks. Which of the job's messages came before is noted in the job
# itself (its `meta`), so the verdict lives exactly as long as the job, whatever the registry forgets.
# A job without any new message is taken off the queue again: it would count nowhere, so repeats could
# fill the queue without end.
REGISTER = """
local window = ARGV[1]
local duplicates, firsts, repeated, touched = {}, {}, {}, nil
for i = 2, #ARGV, 4 do
  local run, block, field, arrived_ns = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local bucket = 'fizzbuzz:arrival:' .. run .. ':' .. block
  repeated[run] = repeated[run] or 0
  if redis.call('HSETNX', bucket, field, arrived_ns) == 0 then
    duplicates[#duplicates + 1] = (i - 2) / 4
    firsts[#firsts + 1] = redis.call('HGET', bucket, field)
    repeated[run] = repeated[run] + 1
  end
  if bucket ~= touched then
    touched = bucket
    redis.call('EXPIRE', bucket, window)
  end
end
for run, again in pairs(repeated) do
  redis.call('HINCRBY', 'fizzbuzz:run:' .. run, 'duplicates', again)
  redis.call('EXPIRE', 'fizzbuzz:run:' .. run, window)
end
local new = (#ARGV - 1) / 4 - #duplicates
if new == 0 then
  redis.call('RPOP', KEYS[2])
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'messages', new)
  if #duplicates > 0 then
    redis.call('HSET', KEYS[1], 'meta', cjson.encode({duplicates = duplicates}))
  end
end
return {duplicates, firsts, redis.call('INCRBY', KEYS[3], new)}
"""
