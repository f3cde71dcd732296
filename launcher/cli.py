"""The commands of ``./start.sh``."""

import argparse
import sys
from collections.abc import Sequence

from launcher import commands
from launcher.mode import MODES
from launcher.problem import FAILED, Problem, from_os_error

INTERRUPTED = 130
_HANDED_ON = {"test": commands.test, "load": commands.load, "report": commands.report}
"""Their arguments are for the program that they start."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit status. Nothing at all means ``up``."""
    words = list(arguments) or ["up"]
    try:
        if words[0] in _HANDED_ON:
            return _HANDED_ON[words[0]](words[1:])
        return _run(parser().parse_args(words))
    except Problem as problem:
        return _tell(str(problem), problem.status)
    except BrokenPipeError:  # such as ./start.sh logs | head
        sys.stderr.close()
        return FAILED
    except OSError as error:
        return _tell(str(from_os_error(error)), FAILED)
    except KeyboardInterrupt:
        return _tell("interrupted", INTERRUPTED)


def parser() -> argparse.ArgumentParser:
    """The command line, which ``--help`` explains."""
    top = argparse.ArgumentParser(
        prog="./start.sh",
        description="A message pipeline to see, measure and trust. Without a command: up.",
        epilog="Settings are environment variables or lines of .env; .env.example explains each.",
    )
    add = top.add_subparsers(dest="command", metavar="command").add_parser
    up = add(
        "up",
        help="[--mode docker|local] set up what is missing, start everything, wait for the first message",
    )
    up.add_argument("--mode", choices=MODES, help="default: docker where that works, else local")
    down = add("down", help="[--wipe] stop everything, keep the data, or delete this system's data too")
    down.add_argument("--wipe", action="store_true", help="delete this system's data too")
    add("status", help="one line a part; exit 0 only if all are healthy")
    logs = add("logs", help="[part] [-f] [--pretty] the logs, one JSON object a line, or readable text")
    logs.add_argument("part", nargs="?", help="one part alone, e.g. gateway or worker-1")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    logs.add_argument("--pretty", action="store_true", help="readable text instead of JSON")
    add("test", help="[…] set up what the tests need and run them; what follows goes to pytest")
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
    return top


def _run(words: argparse.Namespace) -> int:
    if words.command in (None, "up"):
        return commands.up(getattr(words, "mode", None))
    if words.command == "down":
        return commands.down(wipe=words.wipe)
    if words.command == "logs":
        return commands.logs(words.part, follow=words.follow, pretty=words.pretty)
    if words.command == "notebook":
        return commands.notebook(run=words.run)
    return commands.status()


def _tell(text: str, status: int) -> int:
    print(f"start.sh: {text}", file=sys.stderr)
    return status
