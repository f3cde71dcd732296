"""What a worker changes in Redis. Each change is one script, so it is atomic even if a process dies.

Scripts, not MULTI/EXEC, because a Redis at its ``maxmemory`` rejects every command inside MULTI, but
runs a script whose first write needs no memory (``LREM``, ``ZREM``, ``DEL``, ``EXPIRE``). So
workers keep emptying a full Redis. Each script here begins with such a write.

``HEARTBEAT_WORKER`` is passed all of its keys. The others are passed those in ``RqQueue``, and build the keys
of single jobs and executions from their ids and the prefixes in ``pipeline.queue.keys``.
"""

from pipeline.queue.ledger_scripts import ENDING

_NAMES = (
    ENDING
    + """
local queue, intermediate, started, failed, lost, worker = unpack(KEYS, 5)

local function job_key(id) return JOB .. id end

-- One execution of the job is over.
local function delete_execution(id, execution)
  local key = EXECUTION .. id .. ':' .. execution
  local name = redis.call('HGET', key, 'worker_name')
  redis.call('DEL', key)
  redis.call('ZREM', EXECUTIONS .. id, execution)
  redis.call('SREM', WORKER .. (name or '') .. WORKER_EXECUTIONS, id .. ':' .. execution)
end

local function set_state(state) redis.call('HSET', worker, 'state', state) end
"""
)

DEQUEUE = (
    _NAMES
    + """
-- ARGV: worker, now (text), now (s), lease (s), execution, how many, the longest id, then ids that this
-- worker has moved to the intermediate list. These and more from the front of the queue are started, each in
-- an execution of this id. Returns id, data and meta of each, oldest first, then the ids of those that have
-- no data, and the ids without a job; both stay on the intermediate list.
local name, now, now_s, lease_s, execution, most, longest = unpack(ARGV, 1, 7)

local function start(id)
  local member = id .. ':' .. execution
  local key = EXECUTION .. member
  redis.call('ZADD', started, now_s + lease_s, member)
  redis.call('HSET', job_key(id), 'status', 'started', 'started_at', now, 'last_heartbeat', now,
             'worker_name', name, 'lease_s', lease_s)
  redis.call('PERSIST', job_key(id))
  redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', now_s, 'last_heartbeat', now_s,
             'worker_name', name)
  redis.call('EXPIRE', key, lease_s)
  redis.call('ZADD', EXECUTIONS .. id, now_s + lease_s + 60, execution)
  redis.call('EXPIRE', EXECUTIONS .. id, lease_s + 60)
  redis.call('SADD', worker .. WORKER_EXECUTIONS, member)
end

local jobs, unreadable, gone, seen = {}, {}, {}, {}
local function take(id)
  if seen[id] then return end  -- an id that is queued twice is one job
  seen[id] = true
  local is_id = #id > 0 and #id <= tonumber(longest) and not string.find(id, '[^%w_-]')
  local kind = is_id and redis.call('TYPE', job_key(id)).ok or 'none'
  local data, meta = false, false
  if kind == 'hash' then data, meta = unpack(redis.call('HMGET', job_key(id), 'data', 'meta')) end
  if data then
    start(id)
    jobs[#jobs + 1] = {id, data, meta or '{}'}
  else
    redis.call('RPUSH', intermediate, id)
    local others = kind == 'none' and gone or unreadable
    others[#others + 1] = id
  end
end

for i = 8, #ARGV do
  if redis.call('LREM', intermediate, 1, ARGV[i]) == 1 then take(ARGV[i]) end
end
for _ = #ARGV, most + 6 do  -- one by one: an error at one leaves the others where they are
  local id = redis.call('LPOP', queue)
  if not id then break end
  take(id)
end
if #jobs > 0 then
  redis.call('EXPIRE', worker .. WORKER_EXECUTIONS, lease_s + 60)
  set_state('busy')
end
return {jobs, unreadable, gone}
"""
)

REQUEUE_INTERMEDIATE = (
    _NAMES
    + """
-- ARGV: ids, oldest first. Those that nobody started move to the front of the queue, in their order.
local moved = 0
for i = #ARGV, 1, -1 do
  if redis.call('LREM', intermediate, 1, ARGV[i]) == 1 then
    redis.call('LPUSH', queue, ARGV[i])
    moved = moved + 1
  end
end
return moved
"""
)

HEARTBEAT_JOBS = (
    _NAMES
    + """
-- ARGV: worker, now (s), lease (s), then id, execution and start (s) of each job.
-- Keys that expired in between are written again, unless this worker no longer holds the job.
local name, now_s, lease_s = unpack(ARGV, 1, 3)
for i = 4, #ARGV, 3 do
  local id, execution, created_s = unpack(ARGV, i, i + 2)
  local member = id .. ':' .. execution
  local key = EXECUTION .. member
  redis.call('EXPIRE', key, lease_s)
  if redis.call('ZSCORE', started, member) then
    redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', created_s,
               'last_heartbeat', now_s, 'worker_name', name)
    redis.call('EXPIRE', key, lease_s)
    redis.call('ZADD', started, now_s + lease_s, member)
    redis.call('ZADD', EXECUTIONS .. id, now_s + lease_s + 60, execution)
    redis.call('EXPIRE', EXECUTIONS .. id, lease_s + 60)
  end
end
"""
)

FINISH = (
    _NAMES
    + """
-- ARGV: of each job whose messages are stored its id and execution, and as JSON by run how many these are,
-- and how many of them another job had brought. The job is deleted wherever it is now: if this worker was
-- slow and the job was requeued, nothing is left to do for the other worker.
for i = 1, #ARGV, 4 do
  local id, execution = ARGV[i], ARGV[i + 1]
  local mine = redis.call('ZREM', started, id .. ':' .. execution) == 1
  if redis.call('EXISTS', job_key(id)) == 1 then
    local has_failed = redis.call('ZREM', failed, id) == 1
    end_job(id, by_run(ARGV[i + 2]), by_run(ARGV[i + 3]), has_failed)
    if not mine then
      redis.call('LREM', queue, 0, id)
      redis.call('LREM', intermediate, 0, id)
      for _, other in ipairs(redis.call('ZRANGE', EXECUTIONS .. id, 0, -1)) do
        redis.call('ZREM', started, id .. ':' .. other)
        delete_execution(id, other)
      end
    end
  end
  delete_execution(id, execution)
  redis.call('DEL', job_key(id), EXECUTIONS .. id, RESULTS .. id)
end
set_state('idle')
"""
)

FAIL = (
    _NAMES
    + """
-- ARGV: id, execution ('' if the job has not started), now (text), as JSON by run how many of its messages
-- are stored, and how many of these another job had brought, the number of words of RQ's result and these,
-- then the fields of the hash if the one in Redis is damaged.
-- Returns 1, or 0 if another worker has the job.
local id, execution, now = unpack(ARGV, 1, 3)
local stored, repeats, words = by_run(ARGV[4]), by_run(ARGV[5]), ARGV[6]
local held
if execution == '' then
  held = redis.call('LREM', intermediate, 1, id)
else
  held = redis.call('ZREM', started, id .. ':' .. execution)
end
if held == 0 then return 0 end
redis.call('ZADD', failed, -1, id)
if #ARGV > 6 + words then
  local names = {'messages', 'runs', 'stored', 'repeats', 'adopted'}
  local kept = redis.pcall('HMGET', job_key(id), unpack(names))
  redis.call('DEL', job_key(id))
  redis.call('HSET', job_key(id), unpack(ARGV, 7 + words))
  for i, field in ipairs(names) do
    if kept[i] then redis.call('HSET', job_key(id), field, kept[i]) end
  end
end
fail_job(id, stored, repeats)
redis.call('HSET', job_key(id), 'status', 'failed', 'ended_at', now)
redis.call('HDEL', job_key(id), 'lease_s')
redis.call('PERSIST', job_key(id))
redis.call('XADD', RESULTS .. id, 'MAXLEN', 10, '*', unpack(ARGV, 7, 6 + words))
if execution ~= '' then delete_execution(id, execution) end
set_state('idle')
return 1
"""
)

REQUEUE_STARTED = (
    _NAMES
    + """
-- ARGV: now (ns), then id and execution of each job, oldest first. They move to the front of the queue
-- in their order. Returns how many did, and the ids whose job is gone.
local moved, gone = 0, {}
for i = #ARGV - 1, 2, -2 do
  local id, execution = ARGV[i], ARGV[i + 1]
  if redis.call('ZREM', started, id .. ':' .. execution) == 1 then
    local status = redis.pcall('HGET', job_key(id), 'status')
    if status == 'started' then
      redis.call('LPUSH', queue, id)
      redis.call('HSET', job_key(id), 'status', 'queued')
      redis.call('HDEL', job_key(id), 'lease_s')
      moved = moved + 1
    elseif redis.call('EXISTS', job_key(id)) == 0 then
      redis.call('HSET', lost, id, ARGV[1])
      gone[#gone + 1] = id
    end
    delete_execution(id, execution)
  end
end
return {moved, gone}
"""
)

RECORD_LOST = (
    _NAMES
    + """
-- ARGV: now (ns), id. An id on the intermediate list whose job is gone. Returns 0 if it is not there.
if redis.call('LREM', intermediate, 0, ARGV[2]) == 0 then return 0 end
redis.call('HSET', lost, ARGV[2], ARGV[1])
return 1
"""
)

HEARTBEAT_WORKER = """
local worker, executions, workers, queue_workers, suspended = unpack(KEYS)
-- ARGV: lifetime (s), then the fields of the worker's hash.
-- Returns whether workers are to pause (`rq suspend`).
redis.call('EXPIRE', worker, ARGV[1])
redis.call('HSET', worker, unpack(ARGV, 2))
redis.call('EXPIRE', worker, ARGV[1])
redis.call('EXPIRE', executions, ARGV[1])
redis.call('SADD', workers, worker)
redis.call('SADD', queue_workers, worker)
return redis.call('EXISTS', suspended)
"""

COUNT_END = (
    ENDING
    + """
-- ARGV: id of a job that RQ's own worker ends, whether it failed ('1'), and as JSON by run how many of its
-- messages are stored, and how many of these another job had brought.
local id, has_failed = ARGV[1], ARGV[2] == '1'
local stored, repeats = by_run(ARGV[3]), by_run(ARGV[4])
redis.call('HDEL', JOB .. id, 'first_ns')
if has_failed then
  fail_job(id, stored, repeats)
else
  end_job(id, stored, repeats)
  if redis.call('EXISTS', JOB .. id) == 1 then  -- should it run once more, it counts nothing
    redis.call('HSET', JOB .. id, 'messages', 0, 'runs', '{}', 'repeats', cjson.encode(repeats))
  end
end
"""
)
