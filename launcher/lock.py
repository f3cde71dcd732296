"""Lets one command at a time change a system."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from launcher.errors import UserError
from launcher.layout import make_folder

WAIT_S = 300.0
"""As long as a first install may take."""


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``; waits for another command to finish, and says so.

    Raises:
        UserError: the other one didn't finish.
        OSError: the file can't be made.
    """
    make_folder(path.parent)
    with path.open("a") as file:
        _wait(file)
        yield


def _wait(file: IO[str]) -> None:
    deadline = time.monotonic() + WAIT_S
    announced = False
    while not _try(file):
        if not announced:
            print("another ./start.sh is running on this system; waiting for it", flush=True)
            announced = True
        if time.monotonic() > deadline:
            raise UserError("another ./start.sh is still running on this system: end it, then try again")
        time.sleep(0.1)


def _try(file: IO[str]) -> bool:
    if sys.platform == "win32":  # Docker mode alone runs there, and compose has a lock of its own
        return True
    import fcntl  # not there on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
