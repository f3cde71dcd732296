"""A child ends with its parent, also where that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CHILD = """
import sys, time
from pipeline.parent_watch import exit_with_parent
exit_with_parent()
print("running", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
PATIENCE_S = 30


def test_a_child_whose_parent_was_killed_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            assert _runs(child)
            parent.kill()
            parent.wait()
            begun_s = time.monotonic()
            while _runs(child):
                assert time.monotonic() - begun_s < PATIENCE_S
                time.sleep(0.05)
        finally:
            if _runs(child):
                os.kill(child, signal.SIGKILL)


def test_a_child_whose_parent_lives_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], cwd=PROJECT, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"running\n"
        time.sleep(1)  # several checks
        assert child.poll() is None
        child.kill()


def _runs(pid: int) -> bool:
    """Whether the process is there, and no zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
