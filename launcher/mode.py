"""Which way to run: in containers, as processes of this machine, or in a cluster."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from launcher.compose import engine
from launcher.errors import UserError

DOCKER = "docker"
LOCAL = "local"
KUBERNETES = "kubernetes"
MODES = (DOCKER, LOCAL, KUBERNETES)
COMPOSE_FILE = Path("deploy") / "docker-compose.yml"
CHOSEN = "START_SH_MODE"
"""Passes a choice to the same command in the virtual environment."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode and the reason for it."""

    mode: str
    why: str


def choose(checkout: Path, last: str | None, asked: str | None) -> Choice:
    """The mode for a start: the one asked for, else the last one, else what this machine has.

    Raises:
        UserError: the last one is not possible now. It is never changed without being asked: each mode has
            data of its own.
    """
    if os.environ.get(CHOSEN):
        return Choice(*os.environ[CHOSEN].split(":", 1))
    if asked:
        return Choice(asked, "as asked")
    if last in (LOCAL, KUBERNETES):
        return Choice(last, "as at the last start")
    missing = docker_is_missing(checkout)
    if last == DOCKER and missing:
        raise UserError(
            f"the last start was in docker mode, but {missing}: start Docker,"
            " or ./start.sh up --mode local, which has data of its own"
        )
    if last == DOCKER:
        return Choice(DOCKER, "as at the last start")
    return Choice(LOCAL, missing) if missing else Choice(DOCKER, "a Docker engine answers")


def docker_is_missing(checkout: Path) -> str:
    """Why Docker can't be used; empty where it can."""
    if not (checkout / COMPOSE_FILE).exists():
        return f"{COMPOSE_FILE} is not in this checkout"
    try:
        engine.check()
    except UserError as error:
        return str(error).partition(":")[0]
    return ""


def default() -> str:
    """The mode that is assumed where nothing was started."""
    return DOCKER if sys.platform == "win32" else LOCAL
