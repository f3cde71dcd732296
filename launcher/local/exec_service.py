"""Becomes one service: ``python -m launcher.local.exec_service RUN_DIR NAME``, as Supervisor runs it.

What this guards against, and how:

* A service dies, or is killed: Supervisor runs this again, without limit; here the starts are kept
  a second apart, so that one which dies at once does not use up the CPU.
* An earlier instance, or a child of it, still runs and uses port or data: it holds the service's lock
  too, so its process group is killed first (``process_lock``).
* Supervisor is killed: on Linux the kernel kills the services with it. The watchdog notices, and becomes a
  Supervisor, which starts them all again. Elsewhere they run until they are started again, and killed as
  earlier instances; or until ``down``.
* Supervisor dies between its fork and that request to the kernel: this process sees that its parent is
  another one than the recorded Supervisor, and exits.
* Watchdog and Supervisor are killed in one moment: nothing is left running, and ``up`` starts everything.
* A service, or Supervisor, hangs: the watchdog kills it.
* ``up`` is killed in the middle: everything it started is found by its locks.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from launcher.errors import UserError
from launcher.local import plan, process_lock
from launcher.local.process_lock import SUPERVISOR

MIN_PERIOD_S = 1.0
"""Between two starts of one service."""
WAIT_S = 15.0
"""A service starts after this even if what it waits for is not there: it can say better what is wrong."""
CONFIGURATION = "supervisor.conf"
_PR_SET_PDEATHSIG = 1
STOPPING = "stopping"
"""A file in the run folder; while it exists nothing starts."""


def main(argv: list[str]) -> None:
    """Become the service, or exit with status 1 after a pause."""
    run, name = Path(argv[1]), argv[2]
    leave_if_stopping(run)
    try:
        if name != SUPERVISOR:
            die_with_parent()
        become(run, name)
    except (OSError, UserError) as error:
        print(f"{name} can't start: {error}", file=sys.stderr, flush=True)
    time.sleep(MIN_PERIOD_S)
    sys.exit(1)


def become(run: Path, name: str) -> None:
    """Replace this process by the service ``name``. Returns only where the plan has no such service.

    Raises:
        OSError: its program is missing or can't be started.
        UserError: the plan is damaged.
    """
    before = process_lock.record_start(process_lock.acquire(process_lock.path_of(run, name), inherit=True))
    if name != SUPERVISOR and not _is_child_of_supervisor(run):
        sys.exit(1)
    time.sleep(pause_s(before, time.time()))
    kept = plan.read(run)
    if kept is None:
        return
    os.umask(0o077)  # data and logs are their owner's alone
    if name == SUPERVISOR:
        os.chdir(run.parent)  # its configuration has no other way to name a path with '%' or ';' in it
        argv = [kept.python, "-P", "-m", "supervisor.supervisord", "-c", str(run / CONFIGURATION)]
        os.execve(argv[0], argv, os.environ)  # noqa: S606 - no shell is meant
    process = kept.find(name)
    if process:
        (run / f"{name}.address").unlink(missing_ok=True)  # its next instance may get another port
        _wait_for(process.waits_for)
        os.execvpe(process.argv[0], process.argv, {**_environ(), **process.env})  # noqa: S606


def pause_s(before: process_lock.Record, now_s: float) -> float:
    """How long to wait before this start."""
    passed_s = now_s - before.recent[-1] if before.recent else MIN_PERIOD_S
    return min(max(MIN_PERIOD_S - passed_s, 0.0), MIN_PERIOD_S)


def leave_if_stopping(run: Path) -> None:
    """End this process where the system is being stopped, not before Supervisor, which would restart it."""
    if (run / STOPPING).exists():
        die_with_parent()
        while (run / STOPPING).exists() and _is_child_of_supervisor(run):
            time.sleep(0.1)
        sys.exit(0)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends; on Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _is_child_of_supervisor(run: Path) -> bool:
    return os.getppid() == process_lock.read(process_lock.path_of(run, SUPERVISOR)).pid


def _environ() -> dict[str, str]:
    """What Supervisor passes on, less what it and the launcher need themselves."""
    return {n: value for n, value in os.environ.items() if not n.startswith(("START_SH_", "SUPERVISOR_"))}


def _wait_for(path: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while path and not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv)
