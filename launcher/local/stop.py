"""Stops a system in the order of the stream, so that what was accepted gets stored."""

import time

from launcher.home import Home
from launcher.local import bring, hold, session, telephone
from launcher.local.part import SUPERVISOR
from launcher.local.plan import Plan
from launcher.local.resp import Redis

WHOLE_S = 9.5
DRAIN_S = 5.0
_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
"""Where jobs wait, and where a job is on its way to a worker."""


def orderly(home: Home, plan: Plan) -> None:
    """Producer, gateway, consumer; then the queue runs empty; then the rest; ``WHOLE_S`` at most."""
    deadline = time.monotonic() + WHOLE_S
    try:
        bring.wait_for_supervisor(home)
        bring.stop(home, "guard")  # or it would start everything again
        for name in ("producer", "gateway", "consumer"):
            bring.stop(home, name, within_s=_left_s(deadline))
        bring.until(lambda: _is_empty(plan), min(DRAIN_S, _left_s(deadline)))
        workers = [name for name in plan.names if name.startswith("worker-")]
        bring.stop(home, *workers, "web", within_s=_left_s(deadline))
        stores = [name for name in plan.names if name in ("redis", "influxdb")]
        bring.stop(home, *stores, within_s=_left_s(deadline))
        telephone.connect(home).shutdown()
        path = hold.path_of(home.run, SUPERVISOR)
        bring.until(lambda: not hold.is_held(path), _left_s(deadline))
    finally:
        at_once(home)


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


def _left_s(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.0)


def _is_empty(plan: Plan) -> bool:
    """Whether no job waits; a Redis that doesn't answer has nothing that could be waited for."""
    consumer = plan.find("consumer")
    if consumer is None:
        return True
    try:
        with Redis(consumer.env["REDIS_URL"]) as redis:
            return all(redis.ask("LLEN", name) == "0" for name in _LISTS)
    except OSError:
        return True
