"""This system, as a user starts it."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from bench.rivals.processes import memory_mb
from launcher.configuration import CHECKOUT, without_settings
from load.target import SqliteTarget, Target
from tests.support.ports import free_port

UP_S = 300.0


class OwnSite:
    """This system, as ``./start.sh up --mode local`` starts it in ``directory``."""

    _MESSAGES = ("gateway", "consumer", "worker", "redis")
    """The services that a message needs."""

    def __init__(self, directory: Path, venv: Path) -> None:
        self._home = directory / "home"
        self.database = self._home / "data" / "messages.db"
        self._gateway_port = free_port()
        self._environ = {
            **without_settings(os.environ),
            "FIZZBUZZ_HOME": str(self._home),
            "FIZZBUZZ_GATEWAY_PORT": str(self._gateway_port),
            "FIZZBUZZ_WEB_PORT": str(free_port()),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            "FIZZBUZZ_RATE": "0",
            "FIZZBUZZ_VENV": str(venv),
        }

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self._gateway_port}", "", "", SqliteTarget(self.database))

    def start(self) -> None:
        """Returns when the system is up. Raises RuntimeError."""
        done = self._start_sh("up", "--mode", "local")
        if done.returncode:
            raise RuntimeError(f"this system does not start: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        self._start_sh("down")

    def kill_worker(self) -> None:
        for name, pid in self._pids().items():
            if name.startswith("worker"):
                os.kill(pid, signal.SIGKILL)

    def kill_redis(self) -> None:
        os.kill(self._pids()["redis"], signal.SIGKILL)

    def keep_running(self) -> None:
        """Its own Supervisor does."""

    def waiting(self) -> int | None:
        """Its ledger is not asked: a message that is not stored counts as lost."""
        return 0

    def memory_mb(self) -> dict[str, float]:
        services = self._pids()
        ours = [pid for name, pid in services.items() if name.startswith(self._MESSAGES)]
        return {
            "total": memory_mb(_with_children(ours)),
            "with page and supervision": memory_mb(_with_children(list(services.values()))),
        }

    def _pids(self) -> dict[str, int]:
        """The main process of each service, of Supervisor and of its watchdog."""
        files = (self._home / "run").glob("*.lock")
        return {file.stem: json.loads(file.read_text())["pid"] for file in files}

    def _start_sh(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CHECKOUT / "start.sh"), *words],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_S,
        )


def _with_children(pids: list[int]) -> set[int]:
    """These processes and all below them."""
    found: set[int] = set()
    left = list(pids)
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            with contextlib.suppress(OSError):
                left += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return found
