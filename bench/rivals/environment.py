"""The rivals' packages, in an environment of their own: nothing of them reaches the product's."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from launcher import bootstrap, packages
from launcher.configuration import CHECKOUT

LOCK = CHECKOUT / "requirements" / "rivals.txt"
INSIDE = "RIVALS_INSIDE"
"""Set for the process that continues in the environment."""


def venv() -> Path:
    """Where it lies."""
    return home() / "rivals-venv"


def own_venv() -> Path:
    """The environment of this system, which ``./start.sh`` made."""
    return Path(os.environ.get("FIZZBUZZ_VENV") or home() / "venv").absolute()


def home() -> Path:
    """The folder of the system that the command belongs to."""
    return Path(os.environ.get("FIZZBUZZ_HOME") or CHECKOUT / ".fizzbuzz").absolute()


def enter(arguments: list[str]) -> None:
    """Continue inside of the environment, with the same arguments; does nothing where this process is there.

    Raises:
        subprocess.CalledProcessError: it can't be made.
        UserError: a package can't be installed.
    """
    if os.environ.get(INSIDE):
        return
    python = ensure(venv())
    os.execve(
        python,
        [str(python), "-m", "bench.rivals", *arguments],
        {**os.environ, INSIDE: "1", "PYTHONPATH": str(CHECKOUT)},
    )


def ensure(folder: Path) -> Path:
    """Its Python, with the packages of the lock file, whose hashes are checked.

    Raises:
        subprocess.CalledProcessError: it can't be made.
        UserError: a package can't be installed.
    """
    python = bootstrap.python_of(folder)
    stamp = folder / "installed-rivals"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if bootstrap.works(python, "") and stamp.exists() and stamp.read_text() == digest:
        return python
    print("installing requirements/rivals.txt", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    failed = "installing requirements/rivals.txt failed"
    packages.install(python, LOCK, log=folder / "install.log", failed=failed)
    stamp.write_text(digest)
    return python
