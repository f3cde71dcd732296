-- Arguments: the run, the time in its messages, and how many of them each POST carries. Each number is unique
-- in the run: wrk has a Lua state a thread.
local threads = 0
function setup(thread)
  thread:set("first", threads * 1000000000)
  threads = threads + 1
end
function init(args)
  run, sent_at, batch = args[1], args[2], tonumber(args[3])
  number = first
end
local function message()
  number = number + 1
  return string.format('{"number":%d,"sent_at":"%s","run":"%s"}', number, sent_at, run)
end
local function body()
  if batch == 1 then return message() end
  local messages = {}
  for i = 1, batch do messages[i] = message() end
  return "[" .. table.concat(messages, ",") .. "]"
end
function request()
  return wrk.format("POST", "/messages", {["Content-Type"] = "application/json"}, body())
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"refused":%d,"failed":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
