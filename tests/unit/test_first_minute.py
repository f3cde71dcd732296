"""From a clone to a green unit test: nothing must be made by hand before."""

import subprocess
import sys
from pathlib import Path

from tests.support import checkout


def test_pytest_makes_the_stubs_where_they_are_missing(tmp_path: Path) -> None:
    copy = checkout.copy_to(tmp_path / "clone")
    for stub in (copy / "proto").glob("*_pb2*"):
        stub.unlink()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/unit/test_servicer_status.py",
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "proto" / "fizzbuzz_pb2.py").exists()
