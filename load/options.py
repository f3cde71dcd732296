"""The command line of ``./start.sh load``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from load.output_file import obstacle

if sys.platform != "win32":
    from pipeline.file_limit import raise_file_limit  # Windows has no such limit

MAX_RATE = 100_000
MAX_SECONDS = 3_600
MAX_BATCH = 1_000
"""Messages that one request may carry."""
MAX_CONNECTIONS = 4_096
OTHER_FILES = 64
"""Files that the process has open beside its connections; a dozen are usual."""
STEP_S = 5.0
"""How long ``--find-max`` measures each rate, unless ``--for`` says otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to send, and where to put the report."""

    rate: float
    """Messages a second; where ``find_max`` is set, the first rate to try."""
    seconds: float
    batch: int = 1
    connections: int = 64
    retry: bool = True
    timeout_s: float = 10.0
    """How long one attempt waits for its answer."""
    json: Path | None = None
    html: Path | None = None
    find_max_p99_ms: float | None = None
    """Search the highest rate whose p99 keeps below; None: send at ``rate``."""


def read(arguments: Sequence[str]) -> Options:
    """The options; one line on stderr and exit status 2 where they are invalid."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.find_max and given.p99 is None:
        parser.error("--find-max needs --p99 MS")
    if given.p99 is not None and not given.find_max:
        parser.error("--p99 belongs to --find-max")
    if not given.find_max and (given.rate is None or given.seconds is None):
        parser.error("the following arguments are required: --rate, --for (or --find-max --p99 MS)")
    for path in (given.json, given.html):
        if path and (why := obstacle(path)):
            parser.error(f"{path}: {why}")
    _allow_connections(parser, given.connections)
    return Options(
        rate=given.rate or 100.0,
        seconds=given.seconds or STEP_S,
        batch=given.batch,
        connections=given.connections,
        retry=not given.no_retry,
        timeout_s=given.timeout,
        json=given.json,
        html=given.html,
        find_max_p99_ms=given.p99,
    )


def _allow_connections(parser: argparse.ArgumentParser, wanted: int) -> None:
    if sys.platform == "win32":
        return
    files = raise_file_limit(wanted + OTHER_FILES)
    if files < wanted + OTHER_FILES:
        most = f"at most {files - OTHER_FILES:,}" if files > OTHER_FILES else "none"
        parser.error(f"--connections {wanted}: {most} where a process may have {files:,} files (ulimit -n)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./start.sh load",
        description="Send a measured load to the running system, and check what it stored.",
    )
    add = parser.add_argument
    add("--rate", type=_number(MAX_RATE), metavar="N", help="messages a second")
    add("--for", type=_number(MAX_SECONDS), metavar="S", dest="seconds", help="seconds")
    add("--batch", type=_whole(MAX_BATCH), default=1, metavar="B", help="messages a request (1)")
    add("--connections", type=_whole(MAX_CONNECTIONS), default=64, metavar="C", help="at most (64)")
    add("--no-retry", action="store_true", help="send nothing again that was not answered 202")
    add("--timeout", type=_number(60), default=10.0, metavar="S", help="seconds to wait for an answer (10)")
    add("--find-max", action="store_true", help="search the highest rate whose p99 keeps below --p99")
    add("--p99", type=_number(60_000), metavar="MS", help="milliseconds, with --find-max")
    add("--json", type=Path, metavar="FILE", help="write the report as JSON, too")
    add("--html", type=Path, metavar="FILE", help="write the report as one HTML page, too")
    return parser


def _number(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"must be over 0 and at most {most:,}")
        return value

    parse.__name__ = "number"  # what argparse calls it in an error
    return parse


def _whole(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from 1 to {most:,}")
        return value

    parse.__name__ = "whole number"
    return parse
