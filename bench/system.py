"""A system of a checkout, in local mode, on ports and in a folder of its own."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.figure import Values
from launcher.configuration import CHECKOUT
from load.target import SqliteTarget, Target
from tests.support.bare_environment import bare
from tests.support.launched import Launched

START_S = 300.0
"""Packages may have to be installed first."""

_SERVICE = re.compile(r"-m (gateway|consumer|worker|web|producer)\b")
_NAMES = {"consumer.run_worker": "worker", "redis-server": "redis", "influxd": "influxdb"}
"""Other processes, by what is in their command; the first is the worker's module in older checkouts."""


class System(Launched):
    """A system that inherits nothing of this process, and what it costs."""

    def __init__(self, home: Path, checkout: Path, **settings: str) -> None:
        super().__init__(home, checkout, **settings)
        self.command_s = START_S
        scheme = "https" if "FIZZBUZZ_TLS_CERT" in settings else "http"
        self.gateway_url = f"{scheme}://127.0.0.1:{self.gateway_port}"
        self.page_url = f"{scheme}://127.0.0.1:{self.web_port}"
        self.database = home / "data" / "messages.db"

    def environ(self, **settings: str) -> dict[str, str]:
        return {**bare(), **self.settings, **settings}

    @property
    def target(self) -> Target:
        """Where a load is sent, and read again."""
        return Target(self.gateway_url, self.page_url, "", SqliteTarget(self.database))

    def cpu_s(self) -> dict[str, float]:
        """Processor time that each service's processes have used, seconds."""
        used: dict[str, float] = {}
        for name, process in self._named():
            times = process.cpu_times()
            used[name] = used.get(name, 0.0) + times.user + times.system
        return used

    def pss_mb(self) -> float:
        """Memory of all its processes, shared pages divided among those that share them, in 10⁶ bytes."""
        return sum(float(process.memory_full_info().pss) for _, process in self._named()) / 1e6

    def _named(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process, with the service's name, ``redis``, ``influxdb`` or ``launcher``."""
        for pid, command in self.processes().items():
            found = _SERVICE.search(command)
            named = next((name for text, name in _NAMES.items() if text in command), "")
            name = named or (found[1] if found else "launcher")
            try:
                yield name, psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue


def shares(before: dict[str, float], after: dict[str, float], seconds: float, part: str = "") -> Values:
    """The processors that each process used between two readings of ``cpu_s``, for ``Benchmark.run``."""
    prefix = f"cpu:{part}:" if part else "cpu:"
    return {f"{prefix}{name}": (used_s - before.get(name, 0.0)) / seconds for name, used_s in after.items()}


@contextmanager
def running(checkout: Path, **settings: str) -> Iterator[System]:
    """The system of ``checkout``, stopped and deleted at the end. Raises AssertionError with its output."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        system = System(Path(folder), checkout, FIZZBUZZ_VENV=str(environment_of(checkout)), **settings)
        try:
            system.up()  # which may be interrupted when half of it runs
            yield system
        finally:
            system.down("--wipe")


def as_cloned(checkout: Path) -> System:
    """The system of ``checkout`` in its own folder and environment, as a new user has it."""
    system = System(checkout / ".fizzbuzz", checkout)
    for name in ("FIZZBUZZ_HOME", "FIZZBUZZ_VENV"):
        del system.settings[name]
    return system


def environment_of(checkout: Path) -> Path:
    """The virtual environment of a checkout, made where there is none. Raises AssertionError, with output."""
    given = os.environ.get("FIZZBUZZ_VENV")
    if given and checkout == CHECKOUT:
        return Path(given)
    venv = checkout / ".fizzbuzz" / "venv"
    if not (venv / "bin" / "python").exists():
        done = as_cloned(checkout).start_sh("test", "--version")
        assert done.returncode == 0, done.stdout + done.stderr
    return venv
