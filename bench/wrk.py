"""Sends messages with wrk: connections that wait for each answer before the next request.

https://github.com/wg/wrk
"""

import json
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SECONDS = 6
SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Flood:
    """What wrk had answered, in requests."""

    accepted: int
    seconds: float
    refused: int
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds


def is_there() -> bool:
    """Whether wrk is on PATH."""
    return shutil.which("wrk") is not None


def flood(  # noqa: PLR0913 - what is sent, and how
    url: str, run: str, connections: int, seconds: int, *, batch: int = 1, threads: int = 1
) -> Flood:
    """Send messages of ``run``, ``batch`` a request, as fast as ``connections`` are answered."""
    command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*command, url, "--", run, now(), str(batch)],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    return parse(done.stdout)


def parse(output: str) -> Flood:
    """wrk's result, in the line that the script writes."""
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    return Flood(
        accepted=found["requests"] - found["refused"],
        seconds=found["duration_us"] / 1e6,
        refused=found["refused"],
        failed=found["failed"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
    )


def post(url: str, connections: int, batch: int = 1) -> dict[str, float]:
    """Requests a second, each of ``batch`` messages; p50 and p99 in milliseconds.

    Raises SystemExit where one is not answered 202.
    """
    if not is_there():
        raise SystemExit("bench: no wrk on PATH (Debian, Ubuntu: apt install wrk)")
    run, threads = f"bench-{secrets.token_hex(4)}", min(connections, 2)
    return figures(flood(url, run, connections, SECONDS, batch=batch, threads=threads))


def figures(found: Flood) -> dict[str, float]:
    """Its figures, by their names in a benchmark. Raises SystemExit where a request was not answered 202."""
    if found.refused or found.failed:
        raise SystemExit(f"bench: wrk's requests failed: {found.refused} refused, {found.failed} broken off")
    return {"rate": found.rate, "p50": found.p50_ms, "p99": found.p99_ms}


def now() -> str:
    """The present, as a message has it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
