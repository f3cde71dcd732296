"""Stops the containers in the order of the stream, so that what was accepted gets stored."""

import shutil
import subprocess
import time

from launcher.docker import images
from launcher.docker.containers import Container
from launcher.docker.project import Project
from launcher.home import Home

DRAIN_S = 4.0
LOOK_S = 0.2
_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
"""Where jobs wait, and where a job is on its way to a worker."""

# "*": what an optional profile started goes too.
_DOWN = ("--profile", "*", "down", "--remove-orphans", "--timeout", "9")


def orderly(project: Project, found: list[Container]) -> None:
    """Senders first; then the queue runs empty, for ``DRAIN_S`` at most; then the rest. The data stays."""
    running = {one.service for one in found if one.status == "running"}
    senders = [name for name in ("door", "producer", "gateway", "consumer") if name in running]
    if senders:
        project.run("the senders don't stop", "stop", "--timeout", "9", *senders)
    redis = next((one for one in found if one.service == "redis" and one.status == "running"), None)
    deadline = time.monotonic() + DRAIN_S
    while redis and _waiting(redis) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    project.run("docker compose down failed", *_DOWN)


def wipe(project: Project, home: Home) -> None:
    """Delete the project's volumes, networks and images, and what the launcher wrote for it."""
    project.run("docker compose down failed", *_DOWN, "--volumes", "--rmi", "local")
    images.remove_old(project)
    shutil.rmtree(project.secrets, ignore_errors=True)
    for path in (project.env_file, project.images_stamp):
        path.unlink(missing_ok=True)
    for log in home.logs.glob("docker-*.log"):
        log.unlink()
    home.wipe()


def _waiting(redis: Container) -> bool:
    """Whether jobs wait; a Redis that does not answer has nothing that could be waited for."""
    return any(_length(redis, name) > 0 for name in _LISTS)


def _length(redis: Container, name: str) -> int:
    command = ["docker", "exec", redis.id, "redis-cli", "LLEN", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.stdout.strip().isdigit() else 0
