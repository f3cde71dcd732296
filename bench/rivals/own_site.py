"""This system, as a user starts it."""

import contextlib
import os
import signal
from pathlib import Path

from bench.rivals.processes import memory_mb
from load.target import SqliteTarget, Target
from tests.support.launched import Launched

UP_S = 300.0


class OwnSite:
    """This system, as ``./start.sh up --mode local`` starts it in ``directory``."""

    _MESSAGES = ("gateway", "consumer", "worker", "redis")
    """The services that a message needs."""

    def __init__(self, directory: Path, venv: Path) -> None:
        self._system = Launched(directory / "home", FIZZBUZZ_RATE="0", FIZZBUZZ_VENV=str(venv))
        self._system.command_s = UP_S
        self.database = self._system.home / "data" / "messages.db"

    @property
    def target(self) -> Target:
        url = f"http://127.0.0.1:{self._system.gateway_port}"
        return Target(url, "", "", SqliteTarget(self.database))

    def start(self) -> None:
        """Returns when the system is up. Raises RuntimeError."""
        done = self._system.start_sh("up", "--mode", "local")
        if done.returncode:
            raise RuntimeError(f"this system does not start: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        self._system.start_sh("down")

    def kill_worker(self) -> None:
        for name, pid in self._system.pids().items():
            if name.startswith("worker"):
                os.kill(pid, signal.SIGKILL)

    def kill_redis(self) -> None:
        os.kill(self._system.pids()["redis"], signal.SIGKILL)

    def keep_running(self) -> None:
        """Its own Supervisor does."""

    def waiting(self) -> int | None:
        """Its ledger is not asked: a message that is not stored counts as lost."""
        return 0

    def memory_mb(self) -> dict[str, float]:
        services = self._system.pids()
        ours = [pid for name, pid in services.items() if name.startswith(self._MESSAGES)]
        return {
            "total": memory_mb(_with_children(ours)),
            "with page and supervision": memory_mb(_with_children(list(services.values()))),
        }


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
