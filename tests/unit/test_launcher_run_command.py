"""What a command says when it fails becomes one line."""

import sys
from pathlib import Path

import pytest

from launcher import run_command
from launcher.errors import UserError

TRACEBACK = r"""
import sys
print("Traceback (most recent call last):\n  in a cell\n\x1b[31mAssertionError\x1b[39m: too few\n\n")
sys.exit(1)
"""


def output(*command: str, timeout_s: float | None = None) -> str:
    return run_command.output(
        command, lambda text: f"it said {text}", "missing", "silent", timeout_s=timeout_s
    )


def test_its_output_or_what_its_words_mean() -> None:
    assert output("echo", "fine") == "fine\n"
    with pytest.raises(UserError, match="it said why"):
        output("sh", "-c", "echo progress; printf why >&2; exit 3")


def test_a_program_that_is_missing_or_silent() -> None:
    with pytest.raises(UserError, match="missing"):
        output("no-such-program")
    with pytest.raises(UserError, match="silent"):
        output("sleep", "60", timeout_s=0.1)


def test_a_traceback_goes_into_the_log_and_its_last_line_to_the_user(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(UserError) as raised:
        run_command.logged([sys.executable, "-c", TRACEBACK], log, "the notebook failed")
    assert str(raised.value) == f"the notebook failed: AssertionError: too few (more: {log})"
    assert "in a cell" in log.read_text()


def test_a_disk_that_is_full_is_said_whatever_failed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no space is left on the disk"):
        run_command.logged(
            ["sh", "-c", "echo No space left on device; exit 1"], tmp_path / "log", "it failed"
        )
