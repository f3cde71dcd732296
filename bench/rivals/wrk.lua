-- One message per POST, its number unique in the run: wrk has a Lua state a thread.
local threads = 0
function setup(thread)
  thread:set("first", threads * 1000000000)
  threads = threads + 1
end
function init(args)
  run = args[1]
  sent_at = args[2]
  number = first
end
function request()
  number = number + 1
  local body = string.format('{"number":%d,"sent_at":"%s","run":"%s"}', number, sent_at, run)
  return wrk.format("POST", "/messages", {["Content-Type"] = "application/json"}, body)
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"refused":%d,"failed":%d,"p99_ms":%.3f}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(99) / 1000))
end
