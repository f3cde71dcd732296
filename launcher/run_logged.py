"""Runs a command whose output is for a log; when it fails, one line says why."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher.errors import UserError
from launcher.log_line import Parser


def run(  # noqa: PLR0913 - what differs between the commands
    command: list[str],
    log: Path,
    failed: str,
    each_line: Callable[[str], None] = lambda line: None,
    *,
    environ: Mapping[str, str] | None = None,
    meaning: Callable[[str], str] | None = None,
) -> None:
    """Run ``command`` to its end, its output in ``log``; ``each_line`` is called as lines come.

    Args:
        command: the program and its arguments.
        log: the file for its output, written again each time.
        failed: what it means when it fails.
        each_line: called with every line of the output.
        environ: its whole environment, where that is not this process's.
        meaning: the reason for a failure, in one line, found in the output.

    Raises:
        UserError: it failed.
        OSError: the log can't be written.
    """
    with log.open("w", encoding="utf-8") as file:
        try:
            process = _start(command, environ or os.environ)
        except FileNotFoundError as error:
            raise UserError(f"{failed}: {error.filename} is missing") from error
        with process:
            for line in process.stdout or ():
                file.write(line)
                each_line(line)
    if process.returncode:
        text = log.read_text(encoding="utf-8")
        if "No space left on device" in text:
            raise UserError(f"no space is left on the disk: make room and try again (more: {log})")
        raise UserError(f"{failed}: {(meaning or _reason)(text)} (more: {log})")


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def _start(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _reason(text: str) -> str:
    errors = [line.strip() for line in text.splitlines() if line.upper().startswith("ERROR:")]
    return errors[0] if errors else Parser("", 0).parse(last_line(text)).message
