"""The logs of containers as one, in the order of time, by ``docker compose logs``."""

import re
import subprocess
from collections.abc import Iterator, Sequence

from launcher.compose.containers import Container, unix_s
from launcher.compose.project import Project
from launcher.log_line import LogLine, Parser

_LINE = re.compile(r"(?:\x1b\[[0-9;]*[A-Za-z])?(\S+)\s+\| (\S+Z) ?(.*)")


def read(project: Project, services: Sequence[str], *, follow: bool) -> Iterator[LogLine]:
    """What they have written; with ``follow`` also what they write until the system is stopped."""
    history = list(_lines(project, services))
    yield from (line for _, line in sorted(history, key=lambda pair: pair[1].time_s))
    if follow:
        newest = max((moment for moment, _ in history), default="")
        for moment, line in _lines(project, services, "--follow", *(("--since", newest) if newest else ())):
            if moment != newest:  # the engine repeats the line of that very moment
                yield line


def last_message(project: Project, container: Container) -> str:
    """What it wrote last, its message alone."""
    lines = [line for _, line in _lines(project, [container.service], "--tail", "1")]
    return lines[-1].message if lines else "no log output"


def _lines(project: Project, services: Sequence[str], *options: str) -> Iterator[tuple[str, LogLine]]:
    """Each line with the engine's moment of it, which stands in where the line itself tells none."""
    words = ["logs", "--timestamps", "--no-color", *options, *services]
    process = subprocess.Popen(
        project.command(*words),
        env=project.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    parsers: dict[str, Parser] = {}
    try:
        for raw in process.stdout or ():
            found = _LINE.match(raw.rstrip("\r\n"))
            if found and found[3].strip():
                name = _name(found[1])
                parser = parsers.setdefault(name, Parser(name, unix_s(found[2])))
                yield found[2], parser.parse_at(found[3], unix_s(found[2]))
    finally:
        process.kill()
        process.communicate()  # closes its output too


def _name(container: str) -> str:
    """``gateway-1`` is the only one, or the first; see ``Container.name``."""
    service, _, number = container.rpartition("-")
    return container if service == "worker" or number != "1" else service
