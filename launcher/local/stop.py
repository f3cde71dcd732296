"""Stops a system in the order of the stream, so that what was accepted gets stored."""

import signal
import time
from collections.abc import Sequence
from xmlrpc.client import Fault

from launcher.home import Home
from launcher.local import bring, hold, session, telephone, waiting
from launcher.local.part import SUPERVISOR

WHOLE_S = 8.0
"""One deadline for all stages; ``down`` promises 10 s, and killing what is left takes some of them."""
DRAIN_S = 5.0
ANSWER_S = 2.0
"""Supervisor answers within milliseconds, but may just have been started again by its guard."""


def orderly(home: Home, names: Sequence[str], redis_url: str) -> int:
    """Producer, gateway, consumer; then the queue runs empty; then the rest; ``WHOLE_S`` at most.

    Args:
        home: where the system lives.
        names: its parts.
        redis_url: where its queue is.

    Returns:
        How many jobs still waited in the queue; they stay there for the next start.
    """
    stopper = _Stopper(home, time.monotonic() + WHOLE_S)
    try:
        stopper.stop("guard")  # or it would start everything again
        for name in ("producer", "gateway", "consumer"):
            stopper.stop(name)
        bring.until(lambda: not waiting.count(redis_url), min(DRAIN_S, stopper.left_s()))
        stopper.stop(*(name for name in names if name.startswith("worker-")), "web")
        left = waiting.count(redis_url) if stopper.left_s() else 0  # a frozen Redis would take its time
        stopper.stop(*(name for name in names if name in ("redis", "influxdb")))
        stopper.shut_down()
    finally:
        at_once(home)
    return left


def at_once(home: Home) -> None:
    """End whatever still lives, the guard first, and tidy up."""
    watchers = [hold.path_of(home.run, name) for name in ("guard", SUPERVISOR)]
    sessions = {session.of(hold.read(path).pid) for path in watchers if hold.is_held(path)}
    for path in (*watchers, *home.run.glob("*.hold")):
        hold.kill(path)
    for one in filter(None, sessions):
        session.end(one)
    for pattern in ("*.hold", "*.address", bring.PLAN):
        for path in home.run.glob(pattern):
            path.unlink(missing_ok=True)
    for path in home.sockets.glob("*.sock*"):
        path.unlink(missing_ok=True)
    if home.sockets != home.run and home.sockets.exists():
        home.sockets.rmdir()


class _Stopper:
    """Asks parts to stop: through Supervisor, or where that hangs, each part itself."""

    def __init__(self, home: Home, deadline_s: float) -> None:
        """``deadline_s`` is a moment of the monotonic clock."""
        self._home = home
        self._deadline_s = deadline_s
        self._supervisor = hold.path_of(home.run, SUPERVISOR)
        self._answers = bring.until(lambda: bring.is_running(home, timeout_s=ANSWER_S), ANSWER_S)
        if not self._answers:
            self._freeze()

    def left_s(self) -> float:
        """What is left until the deadline, 0 at least."""
        return max(self._deadline_s - time.monotonic(), 0.0)

    def stop(self, *names: str) -> None:
        """Ask the parts to stop and wait until they have, until the deadline at most."""
        if self._answers:
            self._ask_supervisor(names)
        paths = [hold.path_of(self._home.run, name) for name in names]
        if not self._answers:
            for path in paths:
                hold.send(path, signal.SIGTERM)
        bring.until(lambda: not any(map(hold.is_held, paths)), self.left_s())

    def shut_down(self) -> None:
        """End Supervisor itself, which has nothing left to watch."""
        if self._answers:
            try:
                telephone.connect(self._home, timeout_s=ANSWER_S).shutdown()
            except telephone.NO_ANSWER:
                return
            bring.until(lambda: not hold.is_held(self._supervisor), self.left_s())

    def _ask_supervisor(self, names: Sequence[str]) -> None:
        client = telephone.connect(self._home, timeout_s=max(min(ANSWER_S, self.left_s()), 0.1))
        for name in names:
            try:
                client.stopProcess(name, False)
            except Fault:  # it doesn't run just now; Supervisor won't start it any more
                continue
            except telephone.NO_ANSWER:
                self._freeze()
                return

    def _freeze(self) -> None:
        """A Supervisor that doesn't answer must not wake up and start again what was stopped."""
        self._answers = False
        hold.send(self._supervisor, signal.SIGSTOP)
