"""Sends messages with wrk: connections that wait for each answer before the next request.

https://github.com/wg/wrk
"""

import re
import shutil
import subprocess
import tempfile

SECONDS = 6

_SCRIPT = """
local threads, number = 0, 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
function init() run = "bench-" .. os.time() .. "-" .. id end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local now = os.date("!%Y-%m-%dT%H:%M:%S")
local function message()
  number = number + 1
  return string.format('{"run":"%s","number":%d,"sent_at":"%s.%06dZ"}', run, number, now, number % 1000000)
end
function request()
  if BATCH == 1 then return wrk.format(nil, "/messages", nil, message()) end
  local messages = {}
  for i = 1, BATCH do messages[i] = message() end
  return wrk.format(nil, "/messages", nil, "[" .. table.concat(messages, ",") .. "]")
end
"""

_RATE = re.compile(r"(\d+) requests in ([\d.]+)s")
_LATENCY = re.compile(r"(50|99)%\s+([\d.]+)(us|ms|s)\b")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def post(url: str, connections: int, batch: int = 1) -> dict[str, float]:
    """Requests a second, each of ``batch`` messages; p50 and p99 in milliseconds.

    Raises SystemExit where one is not answered 202.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("bench: no wrk on PATH (Debian, Ubuntu: apt install wrk)")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.replace("BATCH", str(batch)))
        script.flush()
        words = [wrk, "-t", str(min(connections, 2)), "-c", str(connections), "-d", f"{SECONDS}s"]
        done = subprocess.run(
            [*words, "--latency", "-s", script.name, url], check=True, capture_output=True, text=True
        )
    return parsed(done.stdout)


def parsed(output: str) -> dict[str, float]:
    """The figures in what wrk prints."""
    counted = _RATE.search(output)
    if counted is None or "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"bench: wrk's requests failed:\n{output}")
    latencies = {f"p{share}": float(value) * _MS[unit] for share, value, unit in _LATENCY.findall(output)}
    return {"rate": int(counted[1]) / float(counted[2]), **latencies}
