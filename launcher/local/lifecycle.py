"""Stops the processes of a system in the order of the stream. Standard library only."""

import signal
import time
from collections.abc import Callable

from launcher.layout import Layout
from launcher.local import process_lock
from launcher.local.exec_service import STOPPING
from launcher.local.plan import Plan
from launcher.local.process_lock import SUPERVISOR, WATCHDOG

STOP_S = 8.5
"""One deadline for all stages; ``down`` promises 10 s, and killing what is left takes some of them."""
DRAIN_S = 5.0


def stop_gracefully(home: Layout, plan: Plan | None, jobs: Callable[[], int]) -> int:
    """Producer, gateway, consumer; then the queue runs empty; then the rest; ``STOP_S`` at most.

    Each process is asked itself, so this works with a Supervisor that hangs and with a damaged plan. What
    Supervisor starts meanwhile finds the file ``STOPPING``, and leaves.

    Args:
        home: where the system lives.
        plan: its processes; None where that is not known.
        jobs: how many wait in the queue.

    Returns:
        How many jobs still wait in the queue, for the next start.
    """
    deadline = time.monotonic() + STOP_S
    signals = {one.name: one.stop_signal for one in plan.processes} if plan else {}
    workers = [path.stem for path in home.run.glob("worker-*.lock")]

    def stop(*names: str) -> None:
        paths = {name: process_lock.path_of(home.run, name) for name in names}
        for name, path in paths.items():
            process_lock.send(path, signal.Signals[f"SIG{signals.get(name, 'TERM')}"])
        _until(lambda: not any(map(process_lock.is_held, paths.values())), deadline)

    try:
        (home.run / STOPPING).touch()
        for name in (WATCHDOG, "producer", "gateway", "consumer"):
            stop(name)
        _until(lambda: not jobs(), min(deadline, time.monotonic() + DRAIN_S))
        stop(*workers, "web")
        left = jobs()
        stop("redis", "influxdb")
        stop(SUPERVISOR)
    finally:
        process_lock.kill_all(home.run, home.sockets)
    return left


def _until(true: Callable[[], bool], deadline: float) -> None:
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
