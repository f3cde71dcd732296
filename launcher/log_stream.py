"""The logs of several containers as one, from a command that puts name and moment before each line."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from re import Pattern
from tempfile import TemporaryFile
from typing import Protocol, TypeVar

from launcher.errors import USAGE, UserError
from launcher.log_line import LogLine, Parser
from launcher.run_command import last_line

TRIES = 3
RETRY_S = 1.0


class _Unreadable(UserError):
    """A log can't be read at the moment."""


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


def read(  # noqa: PLR0913 - what differs between engine and cluster
    command: Sequence[str],
    pattern: Pattern[str],
    name_of: Callable[[str], str | None],
    since: str,
    *,
    follow: bool,
    environ: Mapping[str, str] | None = None,
    unreadable: Pattern[str] | None = None,
) -> Iterator[LogLine]:
    """What was written, in the order of time; with ``follow`` then what is written until they end.

    Args:
        command: writes the logs; further options may follow.
        pattern: its groups are the container, the moment and the line.
        name_of: what a container is called; None leaves its lines out.
        since: the option whose value is a moment.
        follow: whether to wait for further lines.
        environ: the command's whole environment, where that is not this process's.
        unreadable: a line in the place of a log that can't be read at the moment; its group is the reason.

    Raises:
        UserError: the command failed.
    """
    lines = partial(_lines, pattern=pattern, name_of=name_of, environ=environ, unreadable=unreadable)
    written = _retried(lambda: list(lines(command)))
    yield from (line for _, line in sorted(written, key=lambda pair: pair[1].time_s))
    if follow:
        newest = max((moment for moment, _ in written), default="")
        command = [*command, "--follow", *([f"{since}={newest}"] if newest else [])]
        for moment, line in lines(command):
            if moment != newest:  # the line of that very moment is repeated
                yield line


def _retried(read_all: Callable[[], list[tuple[str, LogLine]]]) -> list[tuple[str, LogLine]]:
    """All lines; asked again where a log could not be read at that moment."""
    for _ in range(TRIES - 1):
        try:
            return read_all()
        except _Unreadable:
            time.sleep(RETRY_S)
    return read_all()


def _lines(
    command: Sequence[str],
    pattern: Pattern[str],
    name_of: Callable[[str], str | None],
    environ: Mapping[str, str] | None,
    unreadable: Pattern[str] | None,
) -> Iterator[tuple[str, LogLine]]:
    """Each line with the moment that it was written, used where the line itself has none."""
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        parsers: dict[str, Parser] = {}
        try:
            for raw in process.stdout or ():
                if unreadable and (reason := unreadable.match(raw)):
                    raise _Unreadable(f"some logs are missing: {reason[1].strip()}")
                found = pattern.match(raw.rstrip("\r\n"))
                name = name_of(found[1]) if found and found[3].strip() else None
                if found and name:
                    parser = parsers.setdefault(name, Parser(name, unix_s(found[2])))
                    yield found[2], parser.parse_at(found[3], unix_s(found[2]))
            if process.wait():
                errors.seek(0)
                raise UserError(
                    f"some logs are missing: {last_line(errors.read().decode('utf-8', 'replace'))}"
                )
        finally:
            process.kill()
            process.communicate()  # closes its output too


def unix_s(moment: str) -> float:
    """Engine and cluster write up to nine digits after the point, more than Python 3.11 reads everywhere."""
    whole, _, rest = moment.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")
