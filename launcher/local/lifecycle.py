"""Starts the processes of a system, and stops them in the order of the stream."""

import signal
import time
from collections.abc import Callable, Sequence

from launcher import log_files
from launcher.configuration import Configuration
from launcher.errors import UserError
from launcher.layout import Layout
from launcher.local import plan as plans
from launcher.local import process_lock
from launcher.local.plan import Plan
from launcher.local.process_lock import SUPERVISOR, WATCHDOG

ANSWERS_S = 15.0
"""Supervisor takes about half a second to start; longer on a busy machine."""
STOP_S = 8.5
"""One deadline for all stages of a stop; ``down`` promises 10 s, and killing what is left takes some."""
DRAIN_S = 5.0
CALL_S = 2.0


def start(configuration: Configuration, plan: Plan) -> None:
    """Start a system that doesn't run.

    Raises:
        UserError: Supervisor doesn't start.
    """
    from launcher.local import supervisor  # needs the environment, which stopping does not

    home = configuration.home
    process_lock.kill_all(home.run, home.sockets)
    home.make()
    plans.write(home.run, plan)
    supervisor.write_configuration(home, plan)
    process = supervisor.start(home, configuration.checkout, plan)

    def answers() -> bool:
        return supervisor.is_running(home, plan.password, CALL_S)

    until(lambda: answers() or process.poll() is not None, ANSWERS_S)
    if not answers():
        raise UserError(f"Supervisor doesn't start: {log_files.last_message(home.logs, SUPERVISOR)}")


def stop_gracefully(home: Layout, plan: Plan | None) -> int:
    """Producer, gateway, consumer; then the queue runs empty; then the rest; ``STOP_S`` at most.

    Works with a Supervisor that hangs, without a plan, and without the environment's packages: then each
    process is asked itself, and the queue is not waited for.

    Returns:
        How many jobs still wait in the queue, for the next start.
    """
    stopper = _Stopper(home, plan, time.monotonic() + STOP_S)
    jobs = _queue_length(plan)
    names = plan.names if plan else _locked(home)
    try:
        stopper.stop(WATCHDOG)  # or it would start everything again
        for name in ("producer", "gateway", "consumer"):
            stopper.stop(name)
        until(lambda: not jobs(), min(DRAIN_S, stopper.left_s()))
        stopper.stop(*(name for name in names if name.startswith("worker-")), "web")
        left = jobs()
        stopper.stop("redis", "influxdb")
        stopper.shut_down()
    finally:
        process_lock.kill_all(home.run, home.sockets)
    return left


def until(true: Callable[[], bool], within_s: float, every_s: float = 0.05) -> bool:
    """Wait until ``true()``; whether it came true in time."""
    deadline = time.monotonic() + within_s
    while not (is_true := true()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return is_true


class _Stopper:
    """Asks processes to stop: through Supervisor, or where that hangs, each one itself."""

    def __init__(self, home: Layout, plan: Plan | None, deadline_s: float) -> None:
        """``deadline_s`` is a moment of the monotonic clock."""
        self._home = home
        self._password = plan.password if plan else ""
        self._deadline_s = deadline_s
        self._stop_signals = {one.name: one.stop_signal for one in plan.processes} if plan else {}
        self._answers = plan is not None and self._is_running()
        if not self._answers:
            self._freeze()

    def left_s(self) -> float:
        """Seconds until the deadline, 0 at least."""
        return max(self._deadline_s - time.monotonic(), 0.0)

    def stop(self, *names: str) -> None:
        """Ask them to stop and wait until they have, until the deadline at most."""
        paths = {name: process_lock.path_of(self._home.run, name) for name in names}
        if self._answers:
            self._ask_supervisor(names)
        if not self._answers:
            for name, path in paths.items():
                process_lock.send(path, signal.Signals[f"SIG{self._stop_signals.get(name, 'TERM')}"])
        until(lambda: not any(map(process_lock.is_held, paths.values())), self.left_s())

    def shut_down(self) -> None:
        """End Supervisor itself, which has nothing left to watch."""
        if self._answers:
            from launcher.local import supervisor

            try:
                supervisor.client(self._home, self._password, CALL_S).shutdown()
            except supervisor.NO_ANSWER:
                return
            path = process_lock.path_of(self._home.run, SUPERVISOR)
            until(lambda: not process_lock.is_held(path), self.left_s())

    def _is_running(self) -> bool:
        try:
            from launcher.local import supervisor
        except ImportError:  # the environment is damaged
            return False
        return until(lambda: supervisor.is_running(self._home, self._password, CALL_S), CALL_S)

    def _ask_supervisor(self, names: Sequence[str]) -> None:
        from xmlrpc.client import Fault

        from launcher.local import supervisor

        calls = supervisor.client(self._home, self._password, max(min(CALL_S, self.left_s()), 0.1))
        for name in names:
            try:
                calls.stopProcess(name, False)
            except Fault:  # it doesn't run just now; Supervisor won't start it any more
                continue
            except supervisor.NO_ANSWER:
                self._freeze()
                return

    def _freeze(self) -> None:
        """A Supervisor that doesn't answer must not wake up and start again what was stopped."""
        self._answers = False
        process_lock.send(process_lock.path_of(self._home.run, SUPERVISOR), signal.SIGSTOP)


def _queue_length(plan: Plan | None) -> Callable[[], int]:
    """Asks how many jobs wait; a Redis that doesn't answer has nothing that could be waited for."""
    try:
        from launcher.local import redis_queue
    except ImportError:  # the environment is damaged
        return lambda: 0
    return lambda: redis_queue.waiting(plan.redis_url) if plan and plan.redis_url else 0


def _locked(home: Layout) -> list[str]:
    return [path.stem for path in home.run.glob("*.lock")]
