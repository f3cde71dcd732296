"""The commands of ``./start.sh``."""

import argparse
import difflib
import io
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from launcher import commands, programs, status_command
from launcher.configuration import CHECKOUT, home_of
from launcher.errors import FAILED, USAGE, UserError, explain
from launcher.interruption import INTERRUPTED, end_as_by_ctrl_c
from launcher.layout import make_folder
from launcher.mode import MODES

COMMANDS = (
    "up",
    "down",
    "restart",
    "status",
    "logs",
    "test",
    "notebook",
    "load",
    "report",
    "bench",
    "failed",
    "runs",
    "trace",
    "help",
)
_MEANT = {"start": ["up"], "stop": ["down"], "ps": ["status"]}
_PASSED_ON: dict[str, Callable[[Sequence[str]], int]] = {
    "test": programs.test,
    "load": programs.load,
    "report": programs.report,
    "bench": programs.bench,
    "failed": programs.failed,
    "runs": programs.runs,
    "trace": programs.trace_message,
}
"""Their arguments are for the program that they start."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit status. No command means ``up``."""
    _escape_what_is_not_encodable()
    words = list(arguments)
    if not words or words[0].partition("=")[0] == "--mode":
        words = ["up", *words]
    try:
        _check_command(words[0])
        if words[0] in ("up", "restart"):  # which start containers in this process
            end_as_by_ctrl_c()
        if words[0] in _PASSED_ON:
            return _PASSED_ON[words[0]](words[1:])
        return _run(parser().parse_args(["--help"] if words[0] == "help" else words))
    except BrokenPipeError:  # such as ./start.sh logs | head
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - of a fault of ours, too, a user wants no traceback
        known = explain(error) if isinstance(error, OSError) else error
        if isinstance(known, UserError):
            return _fail(str(known), known.status)
        return _fail(f"internal error: {type(error).__name__}: {error} (more: {_keep_traceback()})", FAILED)


def parser() -> argparse.ArgumentParser:
    """The command line, which ``--help`` explains."""
    top = argparse.ArgumentParser(
        prog="./start.sh",
        description="A message pipeline to see, measure and trust. Without a command: up.",
        epilog="Settings are environment variables or lines of .env; .env.example explains each.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=version())
    commands_of = top.add_subparsers(dest="command", metavar="command")
    add = partial(commands_of.add_parser, allow_abbrev=False)  # down --wip must not mean --wipe
    up = add(
        "up",
        help="[--mode docker|local|kubernetes] set up what is missing, start all, wait for the first message",
    )
    up.add_argument("--mode", choices=MODES, help="default: the last one, else docker where that works")
    down = add("down", help="[--wipe] stop everything, keep the data, or delete this system's data too")
    down.add_argument("--wipe", action="store_true", help="delete this system's data too")
    add("restart", help="down, then up with the current settings")
    status = add("status", help="[--json] [--watch] one line per service; exit 0 only if all are healthy")
    status.add_argument("--json", action="store_true", help="the same as one JSON object")
    status.add_argument("--watch", action="store_true", help="again every 2 s, until Ctrl-C")
    logs = add("logs", help="[SERVICE] [-f] [--pretty] the logs, one JSON object per line, or readable text")
    logs.add_argument(
        "service", metavar="SERVICE", nargs="?", help="one service alone, e.g. gateway or worker-1"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="follow new log lines")
    logs.add_argument("--pretty", action="store_true", help="readable text instead of JSON")
    add("test", help="[…] set up what the tests need and run them; the arguments go to pytest")
    notebook = add(
        "notebook",
        help="[--run] open producer_consumer.ipynb against the running system, or run it top to bottom",
    )
    notebook.add_argument("--run", action="store_true", help="run it top to bottom instead of opening it")
    add(
        "load",
        help="--rate N --for S [--batch B] [--connections C] [--no-retry] [--json FILE] [--html FILE]"
        " | --find-max --p99 MS: send a measured load to the running system, and check what it stored",
    )
    add("report", help="RESULT.json [RESULT.json …] --html FILE: one HTML page of the results of loads")
    add(
        "bench",
        help="[NAME …] [--runs N] [--beside CHECKOUT] [--json FILE] the benchmarks of docs/figures.md",
    )
    add(
        "failed",
        help="[list|requeue|drop] [ID …|--all] [--yes] [--json] messages that can't be stored as they are:"
        " list them with the reason, queue them again, delete them for good",
    )
    add("runs", help="[list|delete RUN] [--yes] [--json] the runs in the database; delete one for good")
    add("trace", help="RUN NUMBER [--json] one message: each moment it passed, and where it is now")
    add("help", help="show this text")
    return top


def version() -> str:
    """The version, and the commit where there is one."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = ["git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"]
    commit = ""
    if (CHECKOUT / ".git").exists():
        try:
            commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:  # no git on this machine
            commit = ""
    return " ".join(filter(None, (project["name"], project["version"], commit and f"({commit})")))


def _run(words: argparse.Namespace) -> int:
    if words.command in (None, "up"):
        return commands.up(getattr(words, "mode", None))
    if words.command == "down":
        return commands.down(wipe=words.wipe)
    if words.command == "restart":
        return commands.restart()
    if words.command == "logs":
        return commands.logs(words.service, follow=words.follow, pretty=words.pretty)
    if words.command == "notebook":
        return programs.notebook(run=words.run)
    return status_command.status(as_json=words.json, watch=words.watch)


def _escape_what_is_not_encodable() -> None:
    """A terminal need not have every character that names, logs and the help have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else it was closed
            stream.reconfigure(errors="backslashreplace")


def _check_command(word: str) -> None:
    if word not in COMMANDS and not word.startswith("-"):
        nearest = _MEANT.get(word) or difflib.get_close_matches(word, COMMANDS, 1, 0.5)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UserError(f"unknown command {word}: {hint}./start.sh --help shows all", USAGE)


def _keep_traceback() -> Path | str:
    """Write the traceback to the launcher's own log; where it is."""
    try:
        path = home_of().logs / "launcher.log"
        make_folder(path.parent)
        with path.open("a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    except (OSError, UserError):
        return "not kept: its log can't be written"
    return path


def _fail(text: str, status: int) -> int:
    print(f"start.sh: {text}", file=sys.stderr)
    return status
