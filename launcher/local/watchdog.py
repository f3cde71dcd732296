"""Watches over Supervisor and the services: ``python -m launcher.local.watchdog RUN_DIR``, run by Supervisor.

Its standard input is a pipe that Supervisor holds. When that ends, Supervisor was killed (at a stop the
watchdog is stopped first), and the watchdog becomes a new one, which starts all services again.

What runs but does not answer, Supervisor included, is killed, and so started again. A service that answers
"not ready" is left alone: it lacks what a restart would not provide.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from launcher.layout import Layout
from launcher.local import exec_service, liveness, plan, process_lock
from launcher.local.process_lock import SUPERVISOR, WATCHDOG
from pipeline import logs

PERIOD_S = 2.0
SILENT_S = 15.0
"""A service that had answered and does not answer for this long hangs. (The page shows it after 3 s.)"""
START_S = 60.0
"""As long as a start may take: a Redis or an InfluxDB with much data is silent at first."""
MAX_KILLS = 3
WINDOW_S = 600.0
"""At most so many kills of one service in this time: more would not help, and ``status`` reports it."""

log = logging.getLogger("watchdog")


class HangDetector:
    """Decides when silence means that a service hangs; its times are monotonic seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start = -1
        self._heard_s = 0.0
        self._kills_s: list[float] = []

    def hangs(self, *, answered: bool, start: int, now_s: float) -> bool:
        """Whether to kill it now. ``start`` is the count of its starts: each one has its time."""
        if start != self._start:
            self._start = start
            self._heard_s = now_s + START_S - SILENT_S
        if answered:
            self._heard_s = now_s
        if now_s - self._heard_s < SILENT_S:
            return False
        self._heard_s = now_s
        self._kills_s = [at_s for at_s in self._kills_s if now_s - at_s < WINDOW_S]
        if len(self._kills_s) >= MAX_KILLS:
            log.error(
                "%s hangs, but was restarted %d times already: not restarted again", self._name, MAX_KILLS
            )
            return False
        self._kills_s.append(now_s)
        return True


def main(argv: list[str]) -> None:
    """Watch until the end of Supervisor, then replace it."""
    run = Path(argv[1])
    exec_service.leave_if_stopping(run)
    descriptor = process_lock.acquire(process_lock.path_of(run, WATCHDOG), inherit=False)
    before = process_lock.record_start(descriptor)
    logs.setup(WATCHDOG, "info")
    time.sleep(exec_service.pause_s(before, time.time()))
    kept = plan.find(run)
    if kept is None:
        log.error("%s is missing or damaged: nothing is watched", run / plan.NAME)
    else:
        _watch_all(Layout(run.parent), kept)
    sys.stdin.buffer.read()
    _use_null()
    exec_service.become(run, SUPERVISOR)


def _watch_all(home: Layout, kept: plan.Plan) -> None:
    answers = {one.name: partial(liveness.service_answers, one, home.run) for one in kept.processes}
    answers[SUPERVISOR] = partial(liveness.supervisor_answers, home)
    for name, is_alive in answers.items():
        threading.Thread(target=_watch, args=(home.run, name, is_alive), daemon=True).start()


def _watch(run: Path, name: str, is_alive: Callable[[], bool]) -> None:
    path, detector = process_lock.path_of(run, name), HangDetector(name)
    while True:
        answered = is_alive()
        if detector.hangs(answered=answered, start=process_lock.read(path).starts, now_s=time.monotonic()):
            log.warning("%s has not answered for %.0f s: restarting it", name, SILENT_S)
            process_lock.kill(path)
        time.sleep(PERIOD_S)


def _use_null() -> None:
    """The old standard files are pipes into the dead process."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)


if __name__ == "__main__":
    main(sys.argv)
