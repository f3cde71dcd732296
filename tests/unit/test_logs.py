"""Logs are JSON lines that name the service, warnings and exceptions among them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


def logged(code: str, level: str = "info") -> list[dict[str, Any]]:
    """What a process logs that runs ``code``."""
    setup = f"import logging, warnings\nfrom pipeline import logs\nlogs.setup('web-1', {level!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_time_level_service_logger_and_message() -> None:
    (line,) = logged("logging.getLogger('a.b').warning('%d of %d', 1, 2, extra={'run': 'r', 'number': 7})")
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "part": "web-1",
        "logger": "a.b",
        "message": "1 of 2",
        "run": "r",
        "number": 7,
    }


def test_the_time_is_utc_with_milliseconds() -> None:
    code = """
import time, os
os.environ["TZ"] = "America/New_York"; time.tzset()
record = logging.LogRecord("x", logging.INFO, "x.py", 1, "m", None, None)
record.created = 1_767_225_600.1234
logging.getLogger().handle(record)
"""
    assert [line["time"] for line in logged(code)] == ["2026-01-01T00:00:00.123Z"]


def test_an_exception_is_one_line_too() -> None:
    (line,) = logged("try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('failed')")
    assert "ZeroDivisionError" in line["exc_info"]


def test_a_warning_of_a_library_is_a_line() -> None:
    (line,) = logged("warnings.warn('old')")
    assert "UserWarning: old" in line["message"]
    assert line["logger"] == "py.warnings"


def test_libraries_that_say_much_are_heard_from_warnings_on() -> None:
    code = "[logging.getLogger(name).info('noise') for name in ('rq.worker', 'urllib3', 'werkzeug', 'ours')]"
    assert [line["logger"] for line in logged(code)] == ["ours"]
    assert [line["logger"] for line in logged(code, "debug")] == ["ours"]


def test_the_level_is_a_setting() -> None:
    code = "logging.warning('w'); logging.error('e'); logging.getLogger('rq.job').warning('library')"
    assert [line["message"] for line in logged(code, "error")] == ["e"]
