"""The logs of containers as one, in the order of time, by ``docker compose logs``."""

import re
from collections.abc import Iterator, Sequence

from launcher import log_stream
from launcher.compose.containers import Container
from launcher.compose.project import Project
from launcher.log_line import LogLine
from launcher.log_stream import Moment

_LINE = re.compile(r"(?:\x1b\[[0-9;]*[A-Za-z])?(\S+)\s+\| (\S+Z) ?(.*)")


def read(project: Project, services: Sequence[str], *, follow: bool) -> Iterator[LogLine]:
    """What they have written; with ``follow`` also what they write until the system is stopped."""

    def following(newest: str) -> Iterator[tuple[Moment, LogLine]]:
        return _lines(project, services, "--follow", *(("--since", newest) if newest else ()))

    return log_stream.merge(_lines(project, services), following if follow else None)


def last_message(project: Project, container: Container) -> str:
    """What it wrote last, its message alone."""
    lines = [line for _, line in _lines(project, [container.service], "--tail", "1")]
    return lines[-1].message if lines else "no log output"


def _lines(project: Project, services: Sequence[str], *options: str) -> Iterator[tuple[Moment, LogLine]]:
    command = project.command("logs", "--timestamps", "--no-color", *options, *services)
    return log_stream.lines(command, _LINE, _name, environ=project.environ())


def _name(container: str) -> str:
    """``gateway-1`` is the only one, or the first; see ``Container.name``."""
    service, _, number = container.rpartition("-")
    return container if service == "worker" or number != "1" else service
