"""Stops the processes of a system in the order of the stream.

Standard library only, but for asking the queue, which is done by a child in the environment:
``python -m launcher.local.lifecycle RUN_DIR`` stops a system and prints how many jobs still wait.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from launcher.layout import Layout
from launcher.local import plan as plans
from launcher.local import process_lock
from launcher.local.exec_service import STOPPING
from launcher.local.process_lock import WATCHDOG

ANSWER_S = 1.0
STOP_S = 7.0
"""One deadline for all stages; ``down`` promises 10 s, and killing what is left takes some of them."""
DRAIN_S = 4.0
LAST_S = 0.1
"""For Supervisor to log the last output of its children."""


def stop(home: Layout, checkout: Path, python: Path) -> int:
    """Stop it, whatever state it and its environment are in; how many jobs wait for the next start."""
    try:
        command = [str(python), "-m", "launcher.local.lifecycle", str(home.run)]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        return int(done.stdout)
    except (OSError, ValueError):  # the environment is damaged
        return stop_gracefully(home, lambda: 0, lambda name: False)


def stop_gracefully(home: Layout, jobs: Callable[[], int], ask: Callable[[str], bool]) -> int:
    """Producer, gateway, consumer; then the queue runs empty; then the rest; ``STOP_S`` at most.

    Supervisor is asked, or it would start each one again, and what it started last could outlive it for a
    moment. Where it hangs, or the plan is damaged, each process is asked itself; what Supervisor starts
    meanwhile finds the file ``STOPPING``, and waits for the end.

    Args:
        home: the system's folder.
        jobs: how many wait in the queue.
        ask: asks Supervisor to stop a process; False where it does not.

    Returns:
        How many jobs still wait in the queue, for the next start.
    """
    deadline = time.monotonic() + STOP_S
    plan = plans.find(home.run)
    signals = {one.name: one.stop_signal for one in plan.processes} if plan else {}
    workers = [path.stem for path in home.run.glob("worker-*.lock")]

    def stop(*names: str) -> None:
        paths = {name: process_lock.path_of(home.run, name) for name in names}
        for name, path in paths.items():
            if not ask(name):
                process_lock.send(path, signal.Signals[f"SIG{signals.get(name, 'TERM')}"])
        # Half of the time that is left at most, so that one that hangs leaves some to the others.
        half = time.monotonic() + max(deadline - time.monotonic(), 0.0) / 2
        _until(lambda: not any(map(process_lock.is_held, paths.values())), half)

    try:
        with suppress(OSError):  # the disk is full: what is started meanwhile is killed at the end
            (home.run / STOPPING).touch()
        for name in (WATCHDOG, "producer", "gateway", "consumer"):
            stop(name)
        _until(lambda: not jobs(), min(deadline, time.monotonic() + DRAIN_S) - 1.0)
        stop(*workers, "web")
        left = jobs() if time.monotonic() < deadline else 0  # a frozen Redis would use up the deadline
        stop("redis", "influxdb")
        time.sleep(LAST_S)
    finally:
        process_lock.kill_all(home.run, home.sockets)
    return left


def _until(true: Callable[[], bool], deadline: float) -> None:
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)


def main(argv: list[str]) -> None:
    """Do it inside of the environment."""
    # not there where the environment is damaged
    from launcher.local import redis_queue, redis_server, supervisor

    home = Layout(Path(argv[1]).parent)
    plan = plans.find(home.run)
    url = (plan and plan.redis_url) or redis_server.url(home)
    socket.setdefaulttimeout(ANSWER_S)  # for Supervisor
    print(stop_gracefully(home, lambda: redis_queue.waiting(url), supervisor.Stopper(home)))


if __name__ == "__main__":
    main(sys.argv)
