"""Which way to run: in containers, or as processes of this machine."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from launcher.configuration import Configuration
from launcher.problem import Problem

DOCKER = "docker"
LOCAL = "local"
MODES = (DOCKER, LOCAL)
COMPOSE_FILE = Path("deploy") / "docker-compose.yml"
ANSWER_S = 15.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode and the reason for it, in words."""

    mode: str
    why: str


def choose(configuration: Configuration, asked: str | None) -> Choice:
    """The mode for ``up``: the one that runs already, else the one asked for, else what there is.

    Raises:
        Problem: another mode runs.
    """
    running = remembered(configuration)
    if running and asked not in (None, running):
        raise Problem(f"the system was started in {running} mode: ./start.sh down, then up --mode {asked}")
    if running:
        return Choice(running, "as it was started before")
    if asked:
        return Choice(asked, "as asked")
    missing = docker_is_missing(configuration.checkout)
    return Choice(LOCAL, missing) if missing else Choice(DOCKER, "a Docker engine answers")


def remembered(configuration: Configuration) -> str | None:
    """The mode in which the system was started, None where it was not."""
    try:
        text = configuration.home.mode.read_text().strip()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
    return text if text in MODES else None


def remember(configuration: Configuration, mode: str) -> None:
    """Tell the other commands: before anything starts, or a start that is killed leaves them at a loss.

    Raises:
        OSError: the file can't be written.
    """
    configuration.home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = configuration.home.mode.with_suffix(".new")
    fresh.write_text(f"{mode}\n")
    fresh.replace(configuration.home.mode)


def forget(configuration: Configuration) -> None:
    """Nothing runs any more. Raises OSError."""
    configuration.home.mode.unlink(missing_ok=True)


def docker_left_something(configuration: Configuration) -> bool:
    """Whether an earlier start in docker mode, stopped since, left its volumes and images in the engine."""
    return configuration.home.docker_env.exists()


def docker_is_missing(checkout: Path) -> str:
    """Why Docker can't be used, in words; empty where it can."""
    if not (checkout / COMPOSE_FILE).exists():
        return f"{COMPOSE_FILE} is not in this checkout"
    if not _works("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no Docker engine answers"
    if not _works("docker", "compose", "version"):
        return "docker compose is not installed"
    return ""


def default() -> str:
    """The mode to look at where nothing was started."""
    return DOCKER if sys.platform == "win32" else LOCAL


def _works(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(done.stdout.strip())
