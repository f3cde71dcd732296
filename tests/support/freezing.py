"""Freezes processes for tests."""

import os
import signal
import time
from pathlib import Path


def freeze(pid: int, timeout_s: float = 10.0) -> None:
    """Stop a process (SIGSTOP) and wait until all of its threads are: the kernel does not do that at once."""
    os.kill(pid, signal.SIGSTOP)
    deadline_s = time.monotonic() + timeout_s
    while not _is_stopped(pid):
        assert time.monotonic() < deadline_s, f"process {pid} is not frozen"
        time.sleep(0.005)


def _is_stopped(pid: int) -> bool:
    """See proc_pid_stat(5)."""
    threads = Path(f"/proc/{pid}/task")
    if not threads.exists():  # not on Linux
        time.sleep(0.1)
        return True
    return all(_state(thread) in "TZX" for thread in threads.iterdir())


def _state(thread: Path) -> str:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it ended since it was listed
        return "X"
