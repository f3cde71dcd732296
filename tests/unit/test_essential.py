"""A thread that a process can't do without ends the process."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys, time
from pipeline import essential

logging.basicConfig(format="%(message)s")

def run():
    {body}

essential.start("watch", run).join(10)
time.sleep(0.1)
print("still alive")
"""


def result_of(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("body", ["raise KeyError('lost')", "sys.exit(0)"])
def test_a_thread_that_dies_ends_its_process(body: str) -> None:
    done = result_of(body)
    assert done.returncode == 70
    assert "still alive" not in done.stdout
    assert "thread watch died" in done.stderr


def test_a_thread_that_is_done_does_not() -> None:
    done = result_of("pass")
    assert (done.returncode, done.stdout) == (0, "still alive\n")
