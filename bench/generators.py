"""The load generator compared with vegeta, at the same rates against the same server, alternating.

``python -m bench.generators [--url http://127.0.0.1:8000] [--rates 100 1000 3000] [--for 10] [--turns 3]``
Without ``--url`` the server is a trivial one that answers after ``--delay`` milliseconds.
vegeta: ``go install github.com/tsenart/vegeta/v12@latest``. It measures from the time of sending; so our
latencies are shown both from the due time and from the time of sending.
"""

import argparse
import base64
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import uvloop

from load.encoder import Encoder
from load.latency import Latencies
from load.measurements import Measurements
from load.options import Options
from load.sender import Sender
from load.target import SqliteTarget, Target

CONNECTIONS = 64
PORT = 18_099


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 1_000, 3_000])
    parser.add_argument("--for", type=float, default=10, dest="seconds")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--delay", type=float, default=5, help="milliseconds")
    given = parser.parse_args()
    vegeta = shutil.which("vegeta")
    if vegeta is None:
        sys.exit("no vegeta on PATH: go install github.com/tsenart/vegeta/v12@latest")
    print(
        "| rate | turn | vegeta p50, p99 ms | load from due | load from sent | behind p99 |\n"
        + "|---" * 6
        + "|"
    )
    with _server(given.url, given.delay) as url:
        for rate in given.rates:
            for turn in range(given.turns):
                other = _vegeta(vegeta, url, rate, given.seconds)
                ours, sent, behind = _ours(url, rate, given.seconds)
                print(f"| {rate:,.0f} | {turn + 1} | {other} | {ours} | {sent} | {behind} |", flush=True)


@contextmanager
def _server(url: str, delay_ms: float) -> Iterator[str]:
    if url:
        yield url
        return
    process = subprocess.Popen([sys.executable, "-m", "bench.trivial_server", str(PORT), str(delay_ms)])
    try:
        _wait(f"http://127.0.0.1:{PORT}")
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str) -> None:
    until_s = time.monotonic() + 10
    while True:
        try:
            requests.post(url, data=b"{}", timeout=1)
        except requests.RequestException:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return


def _ours(url: str, rate: float, seconds: float) -> tuple[str, str, str]:
    async def send() -> Measurements:
        there = Target(url, "", "", SqliteTarget(Path()))
        options = Options(rate, seconds, connections=CONNECTIONS)
        run = f"bench-{secrets.token_hex(4)}"
        return await Sender(there, run, secrets.token_hex(16), options, lambda done: None).run()

    measured = uvloop.run(send())
    lateness = zip(measured.behind_us, measured.waited_us, strict=True)
    before_us = [behind + waited for behind, waited in lateness]
    pairs = zip(measured.latency_us, before_us, strict=True)
    from_sent = Latencies(max(1, latency - before) for latency, before in pairs)
    behind = Latencies(measured.behind_us).ms(99)
    return _pair(Latencies(measured.latency_us)), _pair(from_sent), f"{behind:.2f}"


def _pair(latencies: Latencies) -> str:
    return f"{latencies.ms(50):.2f}, {latencies.ms(99):.2f}"


def _vegeta(vegeta: str, url: str, rate: float, seconds: float) -> str:
    """Its p50 and p99. Each message has a number of its own, so that the system does the same work."""
    encoder = Encoder(url, f"bench-{secrets.token_hex(4)}", {})
    with tempfile.TemporaryDirectory() as folder:
        targets = Path(folder) / "targets"
        with targets.open("w") as file:
            for number in range(round(rate * seconds)):
                file.write(_target(encoder, url, number) + "\n")
        results = Path(folder) / "results"
        attack = [vegeta, "attack", "-format=json", f"-targets={targets}", f"-output={results}", "-lazy"]
        attack += [f"-rate={rate:g}/s", f"-duration={seconds:g}s", f"-connections={CONNECTIONS}"]
        subprocess.run([*attack, f"-max-workers={CONNECTIONS}"], check=True)
        report = subprocess.run(
            [vegeta, "report", "-type=json", str(results)], check=True, capture_output=True, text=True
        )
    latencies = json.loads(report.stdout)["latencies"]
    return f"{latencies['50th'] / 1e6:.2f}, {latencies['99th'] / 1e6:.2f}"


def _target(encoder: Encoder, url: str, number: int) -> str:

    body = encoder.request(range(number, number + 1)).partition(b"\r\n\r\n")[2]
    text = base64.b64encode(body).decode()
    header = {"Content-Type": ["application/json"]}
    return json.dumps({"method": "POST", "url": f"{url}/messages", "body": text, "header": header})


if __name__ == "__main__":
    main()
