"""The logs of several containers as one, from a command that puts name and moment before each line."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from re import Pattern
from typing import Protocol, TypeVar

from launcher.errors import USAGE, UserError
from launcher.log_line import LogLine, Parser

Moment = str
"""When a line was written, as the engine or the cluster has it, to the nanosecond."""


class Source(Protocol):
    """A container or pod that has a log."""

    @property
    def name(self) -> str: ...
    @property
    def service(self) -> str: ...


SourceT = TypeVar("SourceT", bound=Source)


def select(found: Sequence[SourceT], service: str | None) -> list[SourceT]:
    """Those that the user means by ``service``. Raises UserError where there are none."""
    meant = [one for one in found if service in (None, one.name, one.service)]
    names = [one.name for one in meant]
    if service and not meant:
        known = ", ".join(one.name for one in found) or "none yet"
        raise UserError(f"there is no log of {service}; there are: {known}", USAGE)
    if service and names != [service]:
        print(f"start.sh: {service} means {', '.join(names)}", file=sys.stderr)
    return meant


def merge(
    history: Iterator[tuple[Moment, LogLine]],
    following: Callable[[Moment], Iterator[tuple[Moment, LogLine]]] | None,
) -> Iterator[LogLine]:
    """What was written, in the order of time; then what ``following`` yields from the newest moment on."""
    written = list(history)
    yield from (line for _, line in sorted(written, key=lambda pair: pair[1].time_s))
    if following:
        newest = max((moment for moment, _ in written), default="")
        for moment, line in following(newest):
            if moment != newest:  # the line of that very moment is repeated
                yield line


def lines(
    command: Sequence[str],
    pattern: Pattern[str],
    name_of: Callable[[str], str | None],
    *,
    environ: Mapping[str, str] | None = None,
) -> Iterator[tuple[Moment, LogLine]]:
    """Each line of the command's output with its moment, which stands in where the line itself tells none.

    Args:
        command: what is run.
        pattern: its groups are the container, the moment and the line.
        name_of: what a container is called; None leaves its lines out.
        environ: the command's whole environment, where that is not this process's.
    """
    process = subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    parsers: dict[str, Parser] = {}
    try:
        for raw in process.stdout or ():
            found = pattern.match(raw.rstrip("\r\n"))
            name = name_of(found[1]) if found and found[3].strip() else None
            if found and name:
                parser = parsers.setdefault(name, Parser(name, unix_s(found[2])))
                yield found[2], parser.parse_at(found[3], unix_s(found[2]))
    finally:
        process.kill()
        process.communicate()  # closes its output too


def unix_s(moment: Moment) -> float:
    """They write up to nine digits after the point, more than Python 3.11 reads everywhere."""
    whole, _, rest = moment.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")
