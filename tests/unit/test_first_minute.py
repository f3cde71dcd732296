"""From a clone to a green unit test: nothing must be made by hand before."""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_pytest_makes_the_stubs_where_they_are_missing(tmp_path: Path) -> None:
    without = shutil.ignore_patterns(".*", "__pycache__", "*_pb2*", "images")
    copy = shutil.copytree(PROJECT, tmp_path / "clone", ignore=without)
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
