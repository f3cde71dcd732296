"""Where one system keeps its files: ``FIZZBUZZ_HOME`` and what it contains."""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.errors import UserError

MAX_SOCKET_BYTES = 100
"""A Unix socket's path may have 104 bytes on macOS and the BSDs, 108 on Linux."""
_MAX_NAME_BYTES = len("/supervisor.sock.1234567")
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./-]+")
"""Other characters of a socket's path break what reads it: redis-py splits CLIENT INFO at blanks and '='."""
START_MB = 50
"""What a start needs for the first logs and data."""

_SERVICES = ("redis", "influxdb", "web", "worker-[0-9]*", "consumer", "gateway", "producer")
_PROCESSES = (*_SERVICES, "supervisord", "watchdog")
_DATA = ("messages.db", "messages.db-*", "redis", "redis-users", "influxdb", "tokens")
_RUN = ("plan.json*", "supervisor.conf*", "*.sock", *(f"{name}.*" for name in _PROCESSES), "*-metrics")
_LOGS = (
    *(f"{name}.log*" for name in (*_PROCESSES, "influxdb-setup", "install", "launcher", "notebook")),
    "docker-*.log",
    "kubernetes-*.log",
)
_DRAFTS = ("system.json.new*", "docker.env.new*", ".env.new*")
"""What ``pipeline.private_file`` leaves where it is killed: it holds secrets too."""


class Layout:
    """The folder of one system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.redis_users = self.data / "redis-users"
        """Passwords of the services at this system's own Redis, see ``pipeline.queue.users``."""
        self.logs = path / "logs"
        self.run = path / "run"
        self.venv = path / "venv"
        self.lock = path / "lock"
        """Held by the command that changes the system."""
        self.state = path / "system.json"
        """How the system was last started, see ``launcher.saved_state``."""
        self.docker_env = path / "docker.env"
        """Names the compose project; it exists as long as the engine may hold something of the project."""
        self.kubernetes = path / "kubernetes"
        """Which cluster the system is in, and what is applied there."""

    @property
    def sockets(self) -> Path:
        """Where Unix sockets are: ``run``, or a private folder where that path is long or not plain ASCII."""
        short = len(os.fsencode(self.run)) + _MAX_NAME_BYTES <= MAX_SOCKET_BYTES
        if short and _SAFE_PATH.fullmatch(str(self.run)):
            return self.run
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        # Not in TMPDIR, which another terminal may have set to something else; ``make`` sees whose it is.
        return Path("/tmp") / f"fizzbuzz-{digest}"  # noqa: S108 - private

    def make(self) -> None:
        """Make every folder that is missing.

        Raises:
            OSError: a folder can't be made.
            UserError: the private folder for sockets belongs to somebody else.
        """
        for folder in (self.path, self.data, self.logs, self.run, self.sockets):
            make_folder(folder)
        seen = self.sockets.lstat()
        if self.sockets != self.run and (not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid()):
            raise UserError(f"{self.sockets} isn't yours: set FIZZBUZZ_HOME to a shorter path")

    def check_space(self, needed_mb: int = START_MB) -> None:
        """Raise UserError where the disk of the home, which need not exist yet, has less free space."""
        existing = next(path for path in (self.path, *self.path.parents) if path.is_dir())
        free_mb = shutil.disk_usage(existing).free // 2**20
        if free_mb < needed_mb:
            raise UserError(
                f"{self.path}: {free_mb} MB are free and {needed_mb} MB are needed: make room,"
                " or set FIZZBUZZ_HOME to a place that has some"
            )

    def wipe(self) -> None:
        """Delete data, logs and run files of this system; other files beside them stay.

        What says that an engine or a cluster holds something of it is deleted by who deletes that.
        """
        for folder, patterns in ((self.data, _DATA), (self.logs, _LOGS), (self.run, _RUN)):
            for path in [path for pattern in patterns for path in folder.glob(pattern)]:
                delete(path)
            if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                folder.rmdir()
        if self.sockets != self.run:
            shutil.rmtree(self.sockets, ignore_errors=True)
        for path in [self.state, *(path for pattern in _DRAFTS for path in self.path.glob(pattern))]:
            delete(path)


@contextmanager
def not_for_others() -> Iterator[None]:
    """Others can't write what is made meanwhile, whatever the terminal's umask: ``access`` refuses that."""
    before = os.umask(0o077)
    os.umask(before | 0o022)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, and those above it that are missing. Raises OSError."""
    with not_for_others():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def delete(path: Path) -> None:
    """Delete a file, a folder with all that is in it, or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
