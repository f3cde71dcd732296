"""Becomes one part of the system: ``python -m launcher.local.part RUN_DIR NAME``, as Supervisor calls it.

Before that it makes sure that the part has no earlier self, that it will not outlive Supervisor, and
that a part that dies at once does not take the whole machine with being started.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

from launcher.local import hold, plan
from launcher.problem import Problem

SUPERVISOR = "supervisord"
LEAST_S = 1.0
"""Between two starts of one part."""
MOST_FILES = 65_536
_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Become the part, or leave with status 1 after a pause."""
    run, name = Path(argv[1]), argv[2]
    try:
        if name != SUPERVISOR:
            die_with_supervisor(run)
        become(run, name)
    except (OSError, Problem) as error:
        print(f"{name} can't start: {error}", file=sys.stderr, flush=True)
    time.sleep(LEAST_S)
    sys.exit(1)


def become(run: Path, name: str) -> None:
    """Replace this process by the part ``name``. Returns only where the plan has no such part.

    Raises:
        OSError: its program is missing or can't be started.
        Problem: the plan is damaged.
    """
    before = hold.record(hold.take(hold.path_of(run, name), inherit=True))
    time.sleep(pause_s(before, time.time()))
    kept = plan.read(run / "parts.json")
    part = kept and kept.find(name)
    if part:
        (run / f"{name}.address").unlink(missing_ok=True)  # its next self may get another port
        _allow_many_files()
        os.umask(0o077)  # data and logs are their owner's alone
        os.execvpe(part.argv[0], part.argv, {**os.environ, **part.env})  # noqa: S606 - no shell is meant


def pause_s(before: hold.Record, now_s: float) -> float:
    """How long to wait before this start."""
    passed_s = now_s - before.recent[-1] if before.recent else LEAST_S
    return min(max(LEAST_S - passed_s, 0.0), LEAST_S)


def die_with_supervisor(run: Path) -> None:
    """Let the kernel kill this process when Supervisor, its parent, is gone; leave if it is gone already.

    The kernel does so on Linux alone: elsewhere what is left behind is killed by its next self, or by
    ``down``.
    """
    die_with_parent()
    if os.getppid() != hold.read(hold.path_of(run, SUPERVISOR)).pid:
        sys.exit(1)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends; on Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _allow_many_files() -> None:
    """Each open page is a socket, and the usual soft limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv)
