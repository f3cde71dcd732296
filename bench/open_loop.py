"""A thousand single POSTs a second at fixed times: what the system's own load generator measures."""

import secrets
from pathlib import Path

import uvloop

from bench.figure import Benchmark, Figure, Values
from bench.system import System, running
from load.latency import Latencies
from load.measurements import Measurements
from load.options import Options
from load.sender import Sender

RATE = 1_000
SECONDS = 10


def _measure(checkout: Path) -> Values:
    with running(checkout, FIZZBUZZ_RATE="0") as system:
        measured = uvloop.run(_send(system))
    latencies, behind = Latencies(measured.latency_us), Latencies(measured.behind_us)
    return {
        "p50": latencies.ms(50) or 0.0,
        "p99": latencies.ms(99) or 0.0,
        "behind": behind.ms(99) or 0.0,
        "rate": measured.kept_rate,
    }


async def _send(system: System) -> Measurements:
    run = f"bench-{secrets.token_hex(4)}"
    options = Options(RATE, SECONDS)
    return await Sender(system.target, run, secrets.token_hex(16), options, lambda done: None).run()


BENCHMARK = Benchmark(
    f"{RATE:,} single POSTs a second, open loop, from when each was due",
    {
        "p50": Figure("1,000/s open loop, p50", "ms", "≤ 4"),
        "p99": Figure("1,000/s open loop, p99", "ms", "≤ 15"),
        "behind": Figure("the load generator's own delay in it, p99", "ms"),
        "rate": Figure("rate kept", "/s"),
    },
    _measure,
)
