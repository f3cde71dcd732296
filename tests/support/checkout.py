"""Copies of this checkout, to move, to change and to make read-only."""

import shutil
import subprocess
from pathlib import Path

from launcher.configuration import CHECKOUT

ODD = "a b='c' \"d\" #e ;f %g %(here)s é 名"
"""A folder's name with blanks, quotes and what Supervisor, Redis's client and URLs give a meaning."""


def copy_to(folder: Path) -> Path:
    """A clean one in ``folder``, as ``git clone`` would make it, with the changes that are not committed."""
    listed = ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    return folder
