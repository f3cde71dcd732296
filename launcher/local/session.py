"""All processes of one system: Supervisor starts in a session of its own, and none of its parts leaves it."""

import contextlib
import os
import signal
import time
from pathlib import Path

WAIT_S = 3.0


def of(pid: int) -> int | None:
    """The session of a process; None where there is no such process, or it is this program's own session."""
    try:
        session = os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
    return session if session != os.getsid(0) else None


def end(session: int) -> None:
    """Kill whoever is left in it, also those that have only just been started.

    On Linux alone: elsewhere the processes of a session can't be listed without a tool.
    """
    deadline = time.monotonic() + WAIT_S
    while (left := _members(session)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _members(session: int) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _session_of(entry) == session]


def _session_of(entry: Path) -> int | None:
    """The session of a process that is not dead already (see proc_pid_stat(5))."""
    try:
        state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(session)
