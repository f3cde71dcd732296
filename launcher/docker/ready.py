"""Waits until a system that was started is seen to work: a message is stored, and the page shows it."""

import json
import time
import urllib.request
from datetime import datetime

from launcher.docker import containers, logs
from launcher.docker.containers import Container
from launcher.docker.project import Project
from launcher.problem import Problem
from launcher.status import HEALTHY
from pipeline.settings import Settings, host_port, loopback_for

PATIENCE_S = 120.0
LOOK_S = 0.5
MOST_RESTARTS = 5

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy has nothing to do with addresses of this machine."""


def page(settings: Settings) -> str:
    """The address of the page."""
    return f"http://{host_port(loopback_for(settings.bind), settings.web_port)}/fizzbuzz/"


def wait(project: Project, settings: Settings, since_s: float) -> None:
    """Return when all containers are healthy and a message that came after ``since_s`` is shown.

    Where the producer sends nothing, the containers' own word is enough.

    Raises:
        Problem: a container does not stay up, or it took too long; its last words are in it.
    """
    patience_s = PATIENCE_S + (2 / settings.rate if settings.rate else 0)
    deadline = time.monotonic() + patience_s
    while ill := _not_healthy(project):
        if ill[0].restarts > MOST_RESTARTS:
            raise Problem(f"{ill[0].name} doesn't stay up: {logs.last_line(ill[0])}")
        _look_again(deadline, f"{ill[0].name} isn't ready after {patience_s:.0f} s: {logs.last_line(ill[0])}")
    while settings.rate and not _shows(settings, since_s):
        _look_again(
            deadline,
            f"no message was stored and shown within {patience_s:.0f} s: see ./start.sh logs --pretty",
        )


def _look_again(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise Problem(otherwise)
    time.sleep(LOOK_S)


def _not_healthy(project: Project) -> list[Container]:
    return [
        one for one in containers.find(project.name) if not one.is_done and one.part_status().state != HEALTHY
    ]


def _shows(settings: Settings, since_s: float) -> bool:
    try:
        with _direct.open(page(settings) + "stats", timeout=2) as answer:
            stats = json.loads(answer.read())
    except (OSError, ValueError):
        return False
    last = stats.get("last_arrival_at")
    return bool(last and stats.get("stored_total")) and datetime.fromisoformat(last).timestamp() >= since_s
