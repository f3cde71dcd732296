"""The load generator compared with vegeta, at the same rates against the same server, in turns.

``python -m bench.generators [--url http://127.0.0.1:8000] [--rates 100 1000 3000] [--for 5] [--turns 6]``
Without ``--url`` the server is ``bench.trivial_server``, whose percentiles are known.
vegeta: ``go install github.com/tsenart/vegeta/v12@latest``.

Percentiles are medians over the turns: a stall of the system, once in several turns, hits either of them.
vegeta's latency begins when it starts on a request (``Attacker.hit`` in its lib/attack.go), after its own
delay, and ends when the body is read. Ours is shown from there too, beside the one of our reports, which
begins when the message was due.
"""

import argparse
import base64
import csv
import json
import math
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

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
COLUMNS = ("rate", "p50", "p99", "ours / its p50, p99", "ours from due", "behind p99", "CPU a request")


@dataclass(frozen=True, slots=True)
class Load:
    """What both send in a turn."""

    url: str
    rate: float
    seconds: float


@dataclass(slots=True)
class Pool:
    """What one generator measured, a list per turn."""

    turns_us: list[list[int]] = field(default_factory=list)
    cpu_s: float = 0.0

    def ms(self, percentile: float) -> float:
        return median(Latencies(turn).ms(percentile) or math.nan for turn in self.turns_us)

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / max(1, sum(map(len, self.turns_us))) * 1e6


def main() -> None:
    given = _parser().parse_args()
    vegeta = shutil.which("vegeta")
    if vegeta is None:
        sys.exit("no vegeta on PATH: go install github.com/tsenart/vegeta/v12@latest")
    print("| " + " | ".join(("generator", *COLUMNS)) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    with _server(given.url, given.delay, given.spread) as url:
        for rate in given.rates:
            print("\n".join(_compare(vegeta, Load(url, rate, given.seconds), given.turns)), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="")
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 1_000, 3_000])
    parser.add_argument("--for", type=float, default=5, dest="seconds")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--delay", type=float, default=4, help="milliseconds")
    parser.add_argument("--spread", type=float, default=4, help="milliseconds")
    return parser


def _compare(vegeta: str, load: Load, turns: int) -> Iterator[str]:
    its, ours, due, behind = Pool(), Pool(), Pool(), Pool()
    for turn in range(turns):
        for vegeta_next in (turn % 2 == 0, turn % 2 == 1):
            if vegeta_next:
                _vegeta(its, vegeta, load)
            else:
                _ours(ours, due, behind, load)
    ratios = ", ".join(f"{ours.ms(p) / its.ms(p):.2f}" for p in (50, 99))
    yield _row("vegeta", load.rate, its, "", "", "")
    from_due = f"{due.ms(50):.2f}, {due.ms(99):.2f}"
    yield _row("load", load.rate, ours, ratios, from_due, f"{behind.ms(99):.2f}")


def _row(name: str, rate: float, pool: Pool, *more: str) -> str:
    cells = [name, f"{rate:,.0f}", f"{pool.ms(50):.2f}", f"{pool.ms(99):.2f}", *more, f"{pool.cpu_us:.0f} µs"]
    return f"| {' | '.join(cells)} |"


@contextmanager
def _server(url: str, delay_ms: float, spread_ms: float) -> Iterator[str]:
    if url:
        yield url
        return
    words = [str(PORT), str(delay_ms), str(spread_ms)]
    process = subprocess.Popen([sys.executable, "-m", "bench.trivial_server", *words])
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


def _ours(from_sent: Pool, from_due: Pool, behind: Pool, load: Load) -> None:
    async def send() -> Measurements:
        there = Target(load.url, "", "", SqliteTarget(Path()))
        options = Options(load.rate, load.seconds, connections=CONNECTIONS)
        run = f"bench-{secrets.token_hex(4)}"
        return await Sender(there, run, secrets.token_hex(16), options, lambda done: None).run()

    began_s = _cpu_s(resource.RUSAGE_SELF)
    measured = uvloop.run(send())
    from_sent.cpu_s += _cpu_s(resource.RUSAGE_SELF) - began_s
    pairs = zip(measured.latency_us, measured.behind_us, strict=True)
    from_sent.turns_us.append([max(1, latency - late) for latency, late in pairs])
    from_due.turns_us.append(list(measured.latency_us))
    behind.turns_us.append(list(measured.behind_us))


def _vegeta(pool: Pool, vegeta: str, load: Load) -> None:
    """Each message has a number of its own, so that the system does the same work."""
    encoder = Encoder(load.url, f"bench-{secrets.token_hex(4)}", {})
    key = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        targets, results = Path(folder) / "targets", Path(folder) / "results"
        lines = (_target(encoder, load.url, key, number) for number in range(round(load.rate * load.seconds)))
        targets.write_text("".join(f"{line}\n" for line in lines))
        attack = [vegeta, "attack", "-format=json", f"-targets={targets}", f"-output={results}", "-lazy"]
        attack += [f"-rate={load.rate:g}/s", f"-duration={load.seconds:g}s", f"-connections={CONNECTIONS}"]
        began_s = _cpu_s(resource.RUSAGE_CHILDREN)
        subprocess.run([*attack, f"-workers={CONNECTIONS}", f"-max-workers={CONNECTIONS}"], check=True)
        pool.cpu_s += _cpu_s(resource.RUSAGE_CHILDREN) - began_s
        command = [vegeta, "encode", "--to=csv", str(results)]
        rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pool.turns_us.append(_latencies_us(csv.reader(rows.splitlines())))


def _latencies_us(rows: Iterable[list[str]]) -> list[int]:
    """Of its CSV: time, status, latency in nanoseconds, …"""
    found = []
    for _, status, latency_ns, *_ in rows:
        if status != "202":
            sys.exit(f"vegeta was answered {status}")
        found.append(int(latency_ns) // 1_000)
    return found


def _cpu_s(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def _target(encoder: Encoder, url: str, key: str, number: int) -> str:
    body = encoder.request(range(number, number + 1)).partition(b"\r\n\r\n")[2]
    text = base64.b64encode(body).decode()
    header = {"Content-Type": ["application/json"], "Run-Key": [key]}
    return json.dumps({"method": "POST", "url": f"{url}/messages", "body": text, "header": header})


if __name__ == "__main__":
    main()
