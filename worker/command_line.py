"""What the commands that run where a worker runs have in common. Standard library only."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from pipeline import standard_output

FAILED = 1
INTERRUPTED = 130


class Refused(Exception):
    """What was asked for was not done, or not all of it; one line says why."""


def check_options(parser: argparse.ArgumentParser, options: argparse.Namespace, *, deletes: str) -> None:
    """End with status 2 where ``--yes`` or ``--json`` does not belong to the action.

    Args:
        deletes: the action that asks before it deletes.
    """
    if options.yes and options.action != deletes:
        parser.error(f"--yes is for {deletes}")
    if options.json and options.action != "list":
        parser.error("--json is for list")


def ask(question: str) -> str:
    """Why nothing is to be deleted: it was not confirmed. Empty where it was."""
    if not sys.stdin.isatty():
        return f"{question} Not confirmed: without a terminal use --yes. Nothing was deleted"
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    return "" if answer.strip().lower() in ("y", "yes") else "nothing was deleted"


def fail(text: str) -> int:
    """Print an error as the launcher prints its own; the exit status."""
    print(f"start.sh: {text}", file=sys.stderr)
    return FAILED


def run_command(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run a command with the arguments of this process, and end with its status."""
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(status)
    except BrokenPipeError:  # such as ./start.sh runs | head
        standard_output.discard()
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("\nstart.sh: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
