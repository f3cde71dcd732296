"""Runs a command to its end; when it fails, one line says why."""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launcher.errors import UserError
from launcher.log_line import Parser


def output(  # noqa: PLR0913 - what differs between the commands
    command: Sequence[str],
    meaning: Callable[[str], str],
    missing: str,
    silent: str,
    *,
    given: str = "",
    environ: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> str:
    """What ``command`` writes.

    Args:
        command: the program and its arguments.
        meaning: explains its output where it fails, in one line.
        missing: the error where there is no such program.
        silent: the error where it takes longer than ``timeout_s``.
        given: its standard input.
        environ: its whole environment, where that is not this process's.
        timeout_s: how long it may take.

    Raises:
        UserError: it failed.
    """
    try:
        done = subprocess.run(
            command,
            input=given,
            env=environ,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise UserError(missing) from None
    except subprocess.TimeoutExpired:
        raise UserError(silent) from None
    if done.returncode:
        raise UserError(meaning(done.stderr or done.stdout))
    return done.stdout


def logged(  # noqa: PLR0913 - what differs between the commands
    command: Sequence[str],
    log: Path,
    failed: str,
    each_line: Callable[[str], None] = lambda line: None,
    *,
    environ: Mapping[str, str] | None = None,
    meaning: Callable[[str, str], str] | None = None,
) -> None:
    """Run ``command`` with its output in ``log``, written again; ``each_line`` gets lines as they come.

    Raises:
        UserError: it failed, which means ``failed``, or what ``meaning`` makes of its output and that.
        OSError: the log can't be written.
    """
    with log.open("w", encoding="utf-8") as file:
        try:
            process = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError as error:
            raise UserError(f"{failed}: {error.filename} is missing") from error
        with process:
            try:
                for line in process.stdout or ():
                    file.write(line)
                    each_line(line)
            except BaseException:
                process.terminate()  # it goes on by itself otherwise, beside whoever cleans up
                raise
    if process.returncode:
        text = log.read_text(encoding="utf-8")
        raise UserError(f"{(meaning or _meaning)(text, failed)} (more: {log})")


def last_line(text: str, otherwise: str = "no output") -> str:
    """The last line that is not empty, its message alone, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return Parser("", 0).parse(lines[-1]).message if lines else otherwise


def _meaning(text: str, failed: str) -> str:
    if "No space left on device" in text:
        return "no space is left on the disk: make room and try again"
    errors = [line.strip() for line in text.splitlines() if line.upper().startswith("ERROR:")]
    return f"{failed}: {errors[0] if errors else last_line(text)}"
