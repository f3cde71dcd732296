"""Sees to it that there is room before something is written."""

import shutil
from pathlib import Path

from launcher.problem import Problem

START_MB = 50
"""What a start needs for the first logs and data."""


def check(folder: Path, needed_mb: int) -> None:
    """Raise Problem where the disk of ``folder``, which need not be there yet, has less free space."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free_mb = shutil.disk_usage(there).free // 2**20
    if free_mb < needed_mb:
        raise Problem(
            f"{folder}: {free_mb} MB are free and {needed_mb} MB are needed: make room,"
            " or set FIZZBUZZ_HOME to a place that has some"
        )
