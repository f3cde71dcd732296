"""Processes that are started, killed and measured as groups."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from launcher.configuration import CHECKOUT

STOP_S = 5.0
"""How long a group may take to stop before it is killed."""


class Group:
    """A program in a session of its own, so that its children are found, and killed, with it."""

    def __init__(self, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> None:
        self._command, self._log = command, log
        self._environ = {**os.environ, **(environ or {}), "PYTHONPATH": str(CHECKOUT)}
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def python(cls, words: Sequence[str], log: Path, environ: Mapping[str, str]) -> "Group":
        """A module of this environment, with its arguments."""
        return cls([sys.executable, "-m", *words], log, environ)

    def start(self) -> None:
        """Start it, and kill what is left of the last time; returns at once."""
        self.kill()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=CHECKOUT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pids(self) -> list[int]:
        """All processes of its session."""
        return in_session(self._process.pid) if self._process else []

    def kill(self) -> None:
        """SIGKILL to all of them, at once; returns when the first has ended."""
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait(STOP_S)

    def stop(self) -> None:
        """Ask them to stop, then kill what is left; also where nothing was started."""
        self._signal(signal.SIGTERM)
        until_s = time.monotonic() + STOP_S
        while self.pids and time.monotonic() < until_s:
            if self._process:
                self._process.poll()
            time.sleep(0.02)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def in_session(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def memory_mb(pids: Iterable[int]) -> float:
    """The memory of these processes (PSS: what several share is divided among them), in MB."""
    total_kb = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    return total_kb / 1_000
