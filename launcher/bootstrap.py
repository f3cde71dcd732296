"""The virtual environment of one system, and how a command continues inside it."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher import packages, run_command
from launcher.configuration import Configuration
from launcher.errors import UserError
from launcher.layout import Layout, not_for_others
from launcher.local import redis_server
from proto import build

NEEDED_MB = {"run": 400, "redis": 50, "load": 50, "notebook": 800, "unit": 60, "test": 1_200}
"""Free space that each group needs while it is installed; 150 MB and 940 MB of it stay, measured."""
ENTERED = "START_SH_PYTHON"
"""The Python that ``start.sh`` found, for a process that was continued in the environment."""


def enter(configuration: Configuration, words: list[str], **environ: str) -> None:
    """Run the same command inside the environment; does nothing where this process is there already.

    Raises:
        OSError: the environment has no Python.
    """
    if is_inside(configuration.venv):
        return
    python = python_of(configuration.venv)
    _become(str(python), configuration.checkout, words, {ENTERED: sys.executable, **environ})


def start_again(checkout: Path, words: list[str]) -> None:
    """Become another command, outside of the environment, which may then be changed."""
    _become(os.environ.get(ENTERED, sys.executable), checkout, words, {})


def _become(python: str, checkout: Path, words: list[str], environ: Mapping[str, str]) -> None:
    sys.stdout.flush()
    os.chdir(checkout)
    more = {"START_SH_WARNED": "1", **environ}
    os.execve(python, [python, "-m", "launcher", *words], {**os.environ, **more})  # noqa: S606 - no shell


def is_inside(venv: Path) -> bool:
    """Whether this process runs in the environment ``venv``."""
    return Path(sys.prefix).resolve() == venv.resolve()


def python_of(venv: Path) -> Path:
    """The environment's Python."""
    return venv / "bin" / "python"


def works(python: Path, code: str) -> bool:
    """Whether that Python runs, and ``code`` in it."""
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def ensure(configuration: Configuration, *groups: str, running: bool) -> Path:
    """The Python of an environment that has what these lock files name; installs what is missing.

    Args:
        configuration: whose environment.
        groups: ``run``, ``redis``, ``load``, ``notebook``, ``unit``, ``test``.
        running: whether processes run from it; then nothing is changed.

    Raises:
        UserError: it can't be made; the text says why.
        OSError: a folder can't be written.
    """
    if configuration.ready_venv:
        python = python_of(configuration.ready_venv)
        if not python.exists():
            raise UserError(f"FIZZBUZZ_VENV={configuration.ready_venv}: there is no virtual environment")
    else:
        venv = _Venv(configuration.home, configuration.checkout)
        if running:
            venv.check_kept()
        with not_for_others():
            venv.make()
            for group in groups:
                venv.install(group)
        python = venv.python
    _build_stubs(configuration, python)
    return python


def _build_stubs(configuration: Configuration, python: Path) -> None:
    folder = configuration.checkout / "proto"
    if os.access(folder, os.W_OK) and not build.is_stale(folder):
        return
    command = [str(python), "-m", "proto.build", "--if-stale"]
    done = subprocess.run(command, cwd=configuration.checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"the gRPC stubs can't be generated: {run_command.last_line(done.stderr)}")


def redis_group(wanted: Configuration) -> tuple[str, ...]:
    """The lock file with a Redis, where that is newer than the one on PATH, and needed."""
    outside = wanted.outside_redis and not (wanted.home.data / "redis").exists()
    return () if outside or redis_server.is_on_path(redis_server.of_wheel()) else ("redis",)


class _Venv:
    """An environment in the home; a stamp for each group says which lock file it was installed from."""

    def __init__(self, home: Layout, checkout: Path) -> None:
        self._home = home
        self._checkout = checkout
        self._log = home.logs / "install.log"
        self.python = python_of(home.venv)

    def differs(self, group: str) -> bool:
        """Whether the group's lock file is another one than it was installed from."""
        stamp = self._stamp(group)
        return not stamp.exists() or stamp.read_text() != self._digest(group)

    def check_kept(self) -> None:
        """Raise UserError where it would have to be recreated, or changed for processes that run in it."""
        if self.differs("run"):
            raise UserError("requirements/run.txt was changed since the start: ./start.sh restart first")
        if not works(self.python, ""):
            raise UserError(f"{self.python} does not run any more: ./start.sh restart first")

    def make(self) -> None:
        """Make it, unless there is one that was finished and whose Python still runs."""
        if self._stamp("run").exists() and works(self.python, ""):
            return
        if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise UserError(
                f"{sys.executable} can't make virtual environments: install its venv module"
                f" (Debian, Ubuntu: apt install python{version}-venv)"
            )
        self._home.check_space(NEEDED_MB["run"])
        if self._home.venv.exists():
            shutil.rmtree(self._home.venv)
        print("creating a virtual environment", flush=True)
        command = [sys.executable, "-m", "venv", str(self._home.venv)]
        run_command.logged(command, self._log, f"{sys.executable} can't make a virtual environment")

    def install(self, group: str) -> None:
        """Install what the group's lock file names, unless that was done; an older Redis on PATH will do."""
        if not self.differs(group):
            return
        self._home.check_space(NEEDED_MB[group])
        self._stamp(group).unlink(missing_ok=True)
        try:
            self._install(group, self._lock_file(group))
        except UserError:
            if group != "redis" or not redis_server.is_on_path(redis_server.OLDEST):
                raise
            print(f"that failed (more: {self._log}); the redis-server on PATH is used", flush=True)
            return
        self._stamp(group).write_text(self._digest(group))

    def _lock_file(self, group: str) -> Path:
        return self._checkout / "requirements" / f"{group}.txt"

    def _digest(self, group: str) -> str:
        return hashlib.sha256(self._lock_file(group).read_bytes()).hexdigest()

    def _stamp(self, group: str) -> Path:
        return self._home.venv / f"installed-{group}"

    def _install(self, group: str, lock: Path) -> None:
        failed = f"installing requirements/{group}.txt failed"
        if group == "redis":
            oldest = ".".join(map(str, redis_server.OLDEST))
            failed = (
                f"no redis-server {oldest} or newer on PATH, and none ready-made for this Python: install one"
                " (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)"
            )
        print(f"installing requirements/{group}.txt", flush=True)
        packages.install(self.python, lock, log=self._log, failed=failed, each_line=_show)
        _show("")


def _show(line: str) -> None:
    """On a terminal: the newest line of the output, in place."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{line.strip()[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
