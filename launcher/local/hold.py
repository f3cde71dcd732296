"""Who is alive: each part holds a lock on a file of its own for as long as it, or a child of it, lives.

The kernel lets go of the lock when the last of them ends, whatever way. So nothing has to be guessed
from process ids, which may by now belong to somebody else.
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

KEPT = 5
"""Start times that are remembered."""
PATIENCE_S = 0.3
"""``is_held`` itself shares the lock for an instant; only a lock held longer belongs to a part."""
_MOST_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Record:
    """What a part wrote into its file when it started."""

    pid: int = 0
    starts: int = 0
    recent: tuple[float, ...] = ()
    """When it last started, newest last; Unix time in seconds."""


def path_of(run: Path, name: str) -> Path:
    """The file of the part ``name``."""
    return run / f"{name}.hold"


def read(path: Path) -> Record:
    """What the file says; an empty record where it says nothing."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return Record()


def is_held(path: Path) -> bool:
    """Whether a part holds it now. Any number of callers may ask at once: they share the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def kill(path: Path) -> None:
    """End those who hold it at once: the process that wrote the record, and its children."""
    pid = read(path).pid
    if pid > 1 and is_held(path):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def names(run: Path) -> list[str]:
    """The parts that have a file, whether they live or not."""
    return sorted(path.stem for path in run.glob("*.hold"))


def send(path: Path, number: signal.Signals) -> None:
    """Send a signal to the process that holds it, its children not included."""
    pid = read(path).pid
    if pid > 1 and is_held(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def take(path: Path, *, inherit: bool) -> int:
    """Hold ``path`` until this process ends; what an earlier one left behind is killed first.

    Args:
        inherit: whether programs that this process becomes or starts hold it too.

    Returns:
        The file's descriptor, for ``record``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, inherit)
    deadline = time.monotonic() + PATIENCE_S
    while not _try(descriptor) and time.monotonic() < deadline:
        time.sleep(0.02)
    if not _try(descriptor):
        kill(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def record(descriptor: int, clock: Callable[[], float] = time.time) -> Record:
    """Write down that this process has started, once more; returns what was there before."""
    content = os.pread(descriptor, _MOST_BYTES, 0)
    before = _parse(content)
    recent = [*before.recent, clock()][-KEPT:]
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
