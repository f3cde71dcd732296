"""Watches over Supervisor: ``python -m launcher.local.guard RUN_DIR``, started by Supervisor itself.

Its standard input is a pipe that Supervisor holds. When that ends, Supervisor was killed (at a stop the
guard is stopped first), and the guard becomes a new one, which starts all parts again.
"""

import os
import sys
import time
from pathlib import Path

from launcher.local import hold, part


def main(argv: list[str]) -> None:
    """Wait for the end of Supervisor, then take its place."""
    run = Path(argv[1])
    before = hold.record(hold.take(hold.path_of(run, "guard"), inherit=False))
    time.sleep(part.pause_s(before, time.time()))
    sys.stdin.buffer.read()
    _use_null()
    part.become(run, part.SUPERVISOR)


def _use_null() -> None:
    """The old standard files are pipes into the dead process."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)


if __name__ == "__main__":
    main(sys.argv)
