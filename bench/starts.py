"""How long ``./start.sh up`` takes: from a clean clone, installed, and with the system running."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figure import Benchmark, Figure, Values
from bench.system import as_cloned


def _measure(checkout: Path) -> Values:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(checkout), str(clone)], check=True)
        system = as_cloned(clone)
        try:
            clean_s = _timed(system.up)
            down_s = _timed(system.down)
            installed_s = _timed(system.up)
            again_s = _timed(system.up)
        finally:
            system.down()
    return {"clean": clean_s, "installed": installed_s, "again": again_s, "down": down_s}


def _timed(command: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    command()
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
