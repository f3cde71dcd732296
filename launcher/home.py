"""Where one system keeps its things: ``FIZZBUZZ_HOME`` and what lies in it."""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from launcher.problem import Problem

LONGEST_SOCKET = 100
"""Bytes that the path of a Unix socket may have at most: 104 on macOS and the BSDs, 108 on Linux."""
_LONGEST_NAME = len("/supervisor.sock.1234567")

_PARTS = (
    "redis",
    "influxdb",
    "web",
    "worker-[0-9]*",
    "consumer",
    "gateway",
    "producer",
    "supervisord",
    "guard",
)
_DATA = ("messages.db", "messages.db-*", "redis", "influxdb", "tokens")
_RUN = ("parts.json", "supervisor.conf", "*.sock", *(f"{part}.*" for part in _PARTS), "*-metrics")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one system."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def venv(self) -> Path:
        return self.path / "venv"

    @property
    def mode(self) -> Path:
        """The file that says in which mode the system runs."""
        return self.path / "mode"

    @property
    def docker_env(self) -> Path:
        """The file that names the compose project; it is there as long as the project may have something."""
        return self.path / "docker.env"

    @property
    def sockets(self) -> Path:
        """Where Unix sockets lie: ``run``, or a private folder of a shorter name where that is too long."""
        if len(os.fsencode(self.run)) + _LONGEST_NAME <= LONGEST_SOCKET:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"fizzbuzz-{digest}"

    def make(self) -> None:
        """Make every folder that is missing.

        Raises:
            OSError: a folder can't be made.
            Problem: the private folder for sockets belongs to somebody else.
        """
        for folder in (self.path, self.data, self.logs, self.run, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = self.sockets.lstat()
        if self.sockets != self.run and (not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid()):
            raise Problem(f"{self.sockets} isn't yours: set FIZZBUZZ_HOME to a shorter path")

    def wipe(self) -> None:
        """Delete data, logs and run files of this system; what else lies beside them stays."""
        logs = tuple(f"{part}.log*" for part in (*_PARTS, "influxdb-setup", "install"))
        for folder, patterns in ((self.data, _DATA), (self.logs, logs), (self.run, _RUN)):
            for path in [path for pattern in patterns for path in folder.glob(pattern)]:
                _delete(path)
            _remove_if_empty(folder)
        if self.sockets != self.run:
            shutil.rmtree(self.sockets, ignore_errors=True)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
