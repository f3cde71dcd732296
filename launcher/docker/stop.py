"""Stops the containers in the order of the stream, so that what was accepted gets stored."""

import shutil
import subprocess
import time

from launcher.docker import containers, images
from launcher.docker.containers import Container
from launcher.docker.project import Project
from launcher.home import Home
from launcher.problem import Problem

WHOLE_S = 6.0
"""One deadline for all stages; ``down`` promises 10 s, and the engine's own work takes 2 to 3 of them."""
STAGE_S = 2
"""What a container has between being asked and being killed, as long as the deadline leaves it."""
DRAIN_S = 4.0
LOOK_S = 0.2
ANSWER_S = 1.0
_SENDERS = (("door", "producer", "gateway"), ("consumer",))
_WORKERS = ("worker", "web", "queue-ui")
"""Those that remain, Redis and the database, are stopped by compose; each write of theirs is on disk."""
_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
"""Where jobs wait, and where a job is on its way to a worker."""

# "*": what an optional profile started goes too.
_DOWN = ("--profile", "*", "down", "--remove-orphans", "--timeout", "1")


def orderly(project: Project, found: list[Container]) -> int:
    """Senders first; then the queue runs empty, for ``DRAIN_S`` at most; then the rest. The data stays.

    Returns:
        How many jobs still waited in the queue; they stay there for the next start.
    """
    deadline = time.monotonic() + WHOLE_S
    for services in _SENDERS:
        _stop(found, services, deadline)
    redis = next((one for one in found if one.service == "redis" and one.status == "running"), None)
    drained = min(time.monotonic() + DRAIN_S, deadline)
    left = _waiting(redis) if redis else 0
    while redis and left and time.monotonic() < drained:
        time.sleep(LOOK_S)
        left = _waiting(redis)
    _stop(found, _WORKERS, deadline)
    project.run("docker compose down failed", *_DOWN)
    return left


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


def _stop(found: list[Container], services: tuple[str, ...], deadline: float) -> None:
    """Ask all containers of these services at once; who has not ended in time is killed."""
    ids = [one.id for one in found if one.service in services and one.status != "exited"]
    if ids:
        patience_s = max(0, min(STAGE_S, int(deadline - time.monotonic())))
        try:
            containers.run("stop", "--time", str(patience_s), *ids)
        except Problem:  # one was removed meanwhile; compose tells what stays, if anything
            return


def _waiting(redis: Container) -> int:
    """How many jobs wait; a Redis that does not answer has nothing that could be waited for."""
    ask = "; ".join(f"redis-cli LLEN {name}" for name in _LISTS)
    command = ["docker", "exec", redis.id, "sh", "-c", ask]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        return 0
    return sum(int(word) for word in done.stdout.split() if word.isdigit())
