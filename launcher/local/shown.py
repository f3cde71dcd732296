"""Waits until a system that was started is seen to work: a message is stored, and the page shows it."""

import json
import time
from collections.abc import Callable
from datetime import datetime

from launcher.home import Home
from launcher.local import health, hold, last_words
from launcher.local.plan import Plan
from launcher.problem import Problem
from launcher.status import HEALTHY, PartStatus
from pipeline.settings import Settings, host_port, loopback_for

PATIENCE_S = 60.0
LOOK_S = 0.2


def page(settings: Settings) -> str:
    """The address of the page."""
    return f"http://{host_port(loopback_for(settings.bind), settings.web_port)}/fizzbuzz/"


def wait(settings: Settings, plan: Plan, home: Home, since_s: float) -> None:
    """Return when all parts are healthy and a message that came after ``since_s`` is shown.

    Where the producer sends nothing, the parts' own word is enough.

    Raises:
        Problem: a part doesn't stay up, or it took too long; the part's last words are in it.
    """
    if settings.rate:
        stats = page(settings) + "stats"
        _wait(plan, home, PATIENCE_S + 2 / settings.rate, lambda: _shows(stats, since_s))
    else:
        wait_until_ready(plan, home)


def wait_until_ready(plan: Plan, home: Home) -> None:
    """Return when all parts of ``plan`` are healthy. Raises Problem as ``wait`` does."""
    _wait(plan, home, PATIENCE_S, lambda: True)


def _wait(plan: Plan, home: Home, patience_s: float, works: Callable[[], bool]) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        statuses = health.look(plan, home.run)
        if all(status.state == HEALTHY for status in statuses) and works():
            return
        _raise_for_loops([status.name for status in statuses if status.state != HEALTHY], home)
        if time.monotonic() > deadline:
            raise Problem(_too_late(plan, home, statuses, patience_s))
        time.sleep(LOOK_S)


def _shows(stats_url: str, since_s: float) -> bool:
    status, body = health.get(stats_url)
    stats = json.loads(body) if status == 200 else {}
    last = stats.get("last_arrival_at") or ""
    return bool(last) and datetime.fromisoformat(last).timestamp() >= since_s


def _raise_for_loops(names: list[str], home: Home) -> None:
    for name in names:
        if health.keeps_dying(hold.read(hold.path_of(home.run, name)), time.time()):
            raise Problem(f"{name} doesn't stay up: {last_words.of(home.logs, name)}")


def _too_late(plan: Plan, home: Home, statuses: list[PartStatus], patience_s: float) -> str:
    late = next((status for status in statuses if status.state != HEALTHY), None)
    part = plan.find(late.name) if late else None
    if part is None:
        return f"no message was stored and shown within {patience_s:.0f} s: see ./start.sh logs --pretty"
    why = health.complaint(part, home.run) or last_words.of(home.logs, part.name)
    return f"{part.name} isn't ready after {patience_s:.0f} s: {why}"
