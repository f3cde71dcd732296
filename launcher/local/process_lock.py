"""Which processes run: each one of a system holds a lock on a file of its own. Standard library only.

The kernel releases a lock when the last process that holds it ends, however it ends. So nothing has to be
guessed from process ids, which may by now belong to somebody else; ``down`` needs nothing but these files.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUPERVISOR = "supervisord"
WATCHDOG = "watchdog"
_KEPT = 5
_PROBE_S = 0.3
"""``is_held`` itself shares the lock for an instant; only a lock held longer belongs to a process."""
_MAX_BYTES = 4_096
_END_S = 3.0


@dataclass(frozen=True, slots=True)
class Record:
    """What a process wrote into its file when it started."""

    pid: int = 0
    starts: int = 0
    recent: tuple[float, ...] = ()
    """When it last started, newest last; Unix time in seconds."""


def path_of(run: Path, name: str) -> Path:
    """The file of the process ``name``."""
    return run / f"{name}.lock"


def read(path: Path) -> Record:
    """The record in the file; an empty one where there is none."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return Record()


def is_held(path: Path) -> bool:
    """Whether a process holds it now. Any number of callers may ask at once: they share the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def is_supervised(run: Path) -> bool:
    """Whether Supervisor runs, or the watchdog that is about to start it again."""
    return any(is_held(path_of(run, name)) for name in (SUPERVISOR, WATCHDOG))


def send(path: Path, number: signal.Signals) -> None:
    """Send a signal to the process that holds it, its children not included."""
    pid = read(path).pid
    if pid > 1 and is_held(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill(path: Path) -> None:
    """End those who hold it at once: the process that wrote the record, and its process group."""
    pid = read(path).pid
    if pid > 1 and is_held(path):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _kill_with_children(path: Path) -> list[int]:
    """End Supervisor and what it has only just started, which holds no lock yet; on Linux (proc(5)).

    Elsewhere such a process finds itself without its parent, and ends. Returns the ids of these processes.
    """
    pid = read(path).pid
    children: list[int] = []
    if pid > 1 and is_held(path):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGSTOP)  # from now on it starts nothing
            for one in Path(f"/proc/{pid}/task").glob("*/children"):
                children += map(int, one.read_text().split())
        kill(path)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    return children


def _runs(pid: int) -> bool:
    """Whether a process has not ended; it may not be waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def kill_all(run: Path, sockets: Path) -> None:
    """End all processes of a system at once, the ones that start others first, and delete their files."""
    deadline = time.monotonic() + _END_S
    first = [path_of(run, name) for name in (WATCHDOG, SUPERVISOR)]
    children: list[int] = []
    while True:
        paths = [*first, *(path for path in sorted(run.glob("*.lock")) if path not in first)]
        for path in paths:
            if path == first[1]:
                children += _kill_with_children(path)
            else:
                kill(path)
        if not (any(map(is_held, paths)) or any(map(_runs, children))) or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for pattern in ("*.lock", "*.address", "*.ready", "plan.json*", "stopping"):
        for path in run.glob(pattern):
            path.unlink(missing_ok=True)
    for path in sockets.glob("*.sock*"):
        path.unlink(missing_ok=True)
    if sockets != run and sockets.exists():
        sockets.rmdir()


def acquire(path: Path, *, inherit: bool) -> int:
    """Hold ``path`` until this process ends; an earlier instance that still runs is killed first.

    Args:
        path: the file.
        inherit: whether programs that this process becomes or starts hold it too.

    Returns:
        The file's descriptor, for ``record_start``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, inherit)
    deadline = time.monotonic() + _PROBE_S
    while not _try(descriptor) and time.monotonic() < deadline:
        time.sleep(0.02)
    if not _try(descriptor):
        kill(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def record_start(descriptor: int, clock: Callable[[], float] = time.time) -> Record:
    """Record one more start of this process; returns the previous record."""
    content = os.pread(descriptor, _MAX_BYTES, 0)
    before = _parse(content)
    recent = [*before.recent, clock()][-_KEPT:]
    text = json.dumps({"pid": os.getpid(), "starts": before.starts + 1, "recent": recent})
    os.pwrite(descriptor, text.encode().ljust(len(content)), 0)
    return before


def _parse(content: bytes) -> Record:
    try:
        found = json.loads(content)
        return Record(int(found["pid"]), int(found["starts"]), tuple(map(float, found["recent"])))
    except (ValueError, KeyError, TypeError):  # cut off, or not ours
        return Record()


def _try(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
