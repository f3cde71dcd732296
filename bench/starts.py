"""How long ``./start.sh up`` takes: from a clean clone, installed, and with the system running."""

import subprocess
import tempfile
import time
from pathlib import Path

from bench.figure import Benchmark, Figure, Values
from bench.system import command
from tests.support.bare_environment import bare
from tests.support.ports import free_port


def _measure(checkout: Path) -> Values:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(checkout), str(clone)], check=True)
        environ = {
            **bare(),
            "FIZZBUZZ_WEB_PORT": str(free_port()),
            "FIZZBUZZ_GATEWAY_PORT": str(free_port()),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
        }
        try:
            clean_s = _timed(clone, environ, "up", "--mode", "local")
            down_s = _timed(clone, environ, "down")
            installed_s = _timed(clone, environ, "up", "--mode", "local")
            again_s = _timed(clone, environ, "up", "--mode", "local")
        finally:
            command(clone, environ, "down")
    return {"clean": clean_s, "installed": installed_s, "again": again_s, "down": down_s}


def _timed(checkout: Path, environ: dict[str, str], *words: str) -> float:
    began_s = time.perf_counter()
    command(checkout, environ, *words)
    return time.perf_counter() - began_s


BENCHMARK = Benchmark(
    "how long ./start.sh takes in local mode",
    {
        "clean": Figure("`up` in a clean clone, pip's cache warm", "s", "≤ 12"),
        "installed": Figure("`up`, installed", "s", "≤ 2"),
        "again": Figure("`up`, running", "s", "≤ 0.5"),
        "down": Figure("`down`", "s"),
    },
    _measure,
)
