"""Starts the containers."""

import re
from collections import deque
from pathlib import Path

from launcher.docker import containers, logs
from launcher.docker.containers import SETUP, Container
from launcher.docker.project import Project
from launcher.problem import Problem


def start(project: Project, log_folder: Path) -> None:
    """Start what does not run, in order; containers with changed settings are made anew.

    Raises:
        Problem: a container does not start.
    """
    print("starting containers", flush=True)
    log = log_folder / "docker-up.log"
    lines = project.lines(log, "the containers don't start", "--progress", "plain", "up", "--detach")
    try:
        deque(lines, maxlen=0)
    except Problem as problem:
        raise _explained(project, problem) from None


def hand_out_new_tokens(project: Project, before: list[Container]) -> None:
    """A part reads its token when it starts: one that ran before the set-up made a new one starts anew."""
    found = containers.find(project.name)
    setup = next((one for one in found if one.service == SETUP), None)
    said = logs.last_fields(setup) if setup else {}
    users = {"write": "worker", "read": "web"}
    running = {one.service for one in before if one.status == "running"}
    for action in said.get("renewed", ()):
        late = [
            one for one in found if one.service == users[action] and setup and one.started_s < setup.started_s
        ]
        if late and users[action] in running:
            print(f"{users[action]} gets its new token", flush=True)
            project.run(f"{users[action]} can't be started anew", "restart", users[action])


def _explained(project: Project, problem: Problem) -> Problem:
    """Where a part ended or is ill, its own last words say more than compose does."""
    found = re.search(
        r"container \S+?-([\w-]+?)-\d+ (?:is unhealthy|exited)|service \"?([\w-]+)\"? didn't", str(problem)
    )
    if not found:
        return problem
    service = found[1] or found[2]
    for one in containers.find(project.name):
        if service.endswith(one.service):
            return Problem(f"{one.name} does not start: {logs.last_line(one)}")
    return problem
