"""A system of a checkout, in local mode, on ports and in a folder of its own."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from load.target import SqliteTarget, Target
from tests.support.bare_environment import bare
from tests.support.ports import free_port

START_S = 300
"""Packages may have to be installed first."""

_SERVICE = re.compile(r"-m (gateway|consumer|worker|web|producer)\b")
_OLDER_WORKER = "consumer.run_worker"
"""The worker's module in checkouts before it had a folder of its own."""


@dataclass(frozen=True, slots=True)
class System:
    """A running system."""

    checkout: Path
    home: Path
    gateway_url: str
    page_url: str

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.home / "data" / "messages.db"

    @property
    def target(self) -> Target:
        """Where a load is sent, and read again."""
        return Target(self.gateway_url, self.page_url, "", SqliteTarget(self.database))

    def cpu_s(self) -> dict[str, float]:
        """Processor time that each service's processes have used, seconds."""
        used: dict[str, float] = {}
        for name, process in self._processes():
            times = process.cpu_times()
            used[name] = used.get(name, 0.0) + times.user + times.system
        return used

    def pss_mb(self) -> float:
        """Memory of all its processes, shared pages divided among those that share them, in 10⁶ bytes."""
        return sum(float(process.memory_full_info().pss) for _, process in self._processes()) / 1e6

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process of the system, with the service's name, ``redis`` or ``launcher``."""
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                settings = "\n".join(process.environ().values())
            except psutil.Error:
                continue
            if f"{self.home}/" not in f"{command}\n{settings}":
                continue
            found = _SERVICE.search(command)
            if _OLDER_WORKER in command:
                yield "worker", process
            elif found:
                yield found[1], process
            else:
                yield "redis" if "redis-server" in command else "launcher", process


@contextmanager
def running(checkout: Path, **settings: str) -> Iterator[System]:
    """The system of ``checkout``, stopped and deleted at the end. Raises subprocess.CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        web, gateway = free_port(), free_port()
        environ = {
            **bare(),
            "FIZZBUZZ_HOME": folder,
            "FIZZBUZZ_VENV": str(environment_of(checkout)),
            "FIZZBUZZ_WEB_PORT": str(web),
            "FIZZBUZZ_GATEWAY_PORT": str(gateway),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            **settings,
        }
        command(checkout, environ, "up", "--mode", "local")
        try:
            home = Path(folder)
            yield System(checkout, home, f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{web}")
        finally:
            command(checkout, environ, "down", "--wipe")


def command(checkout: Path, environ: dict[str, str], *words: str) -> None:
    """Run a command of ``start.sh``. Raises subprocess.CalledProcessError, with its output as a note."""
    try:
        subprocess.run(
            [str(checkout / "start.sh"), *words],
            cwd=checkout,
            env=environ,
            check=True,
            capture_output=True,
            text=True,
            timeout=START_S,
        )
    except subprocess.CalledProcessError as error:
        error.add_note(f"{error.stdout}{error.stderr}")
        raise


def environment_of(checkout: Path) -> Path:
    """The virtual environment of a checkout, made where there is none."""
    venv = checkout / ".fizzbuzz" / "venv"
    given = os.environ.get("FIZZBUZZ_VENV")
    if given and checkout == Path(__file__).resolve().parents[1]:
        return Path(given)
    if not (venv / "bin" / "python").exists():
        command(checkout, bare(), "test", "--version")
    return venv
