"""What each command does, whichever way the system runs."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher import access, disk, env_file, mode, venv
from launcher import configuration as configurations
from launcher.configuration import Configuration, without_settings
from launcher.lock import alone
from launcher.problem import FAILED, Problem
from launcher.status import HEALTHY
from launcher.system import System

NOTEBOOK = "producer_consumer.ipynb"
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadscope", "--no-loadscope-reorder")
"""For pytest-xdist: tests wait more than they work, so three processes suit two cores."""


def up(asked: str | None) -> int:
    """Start everything, or see that it runs."""
    configuration = configurations.load()
    access.check(configuration)
    access.check_home(configuration)
    disk.check(configuration.home.path, disk.START_MB)
    with alone(configuration.home.path / "lock"):
        if env_file.create(configuration.env_file, configuration.given):
            configuration = configurations.load()
        choice = mode.choose(configuration, asked)
        print(f"mode: {choice.mode} ({choice.why})", flush=True)
        system = _system(configuration, choice.mode)
        system.up()
        mode.remember(configuration, choice.mode)
    for name, address in system.addresses().items():
        print(f"{name:<9} {address}")
    return 0


def down(*, wipe: bool) -> int:
    """Stop everything."""
    configuration = configurations.load()
    with alone(configuration.home.path / "lock"):
        _running_system(configuration).down(wipe=wipe)
        mode.forget(configuration)
        if wipe and mode.docker_left_something(configuration):
            _system(configuration, mode.DOCKER).down(wipe=True)
    return 0


def status() -> int:
    """Tell how every part is."""
    statuses = _running_system(configurations.load()).status()
    for one in statuses:
        print(one.line())
    return 0 if all(one.state == HEALTHY for one in statuses) else FAILED


def logs(part: str | None, *, follow: bool, pretty: bool) -> int:
    """Print the logs; following them ends with Ctrl-C."""
    try:
        for line in _running_system(configurations.load()).logs(part, follow=follow):
            print(line.as_text() if pretty else line.as_json(), flush=follow)
    except KeyboardInterrupt:
        if not follow:
            raise
    return 0


def test(arguments: Sequence[str]) -> int:
    """Run pytest; its exit status is ours."""
    configuration = configurations.load()
    python = _prepared(configuration, "test")
    venv.build_stubs(configuration, python)
    environ = {**without_settings(os.environ), "FIZZBUZZ_VENV": str(python.parent.parent)}
    command = [str(python), "-m", "pytest", *SIDE_BY_SIDE, *arguments]
    return subprocess.run(command, cwd=configuration.checkout, env=environ, check=False).returncode


def notebook(*, run: bool) -> int:
    """Open the notebook, or run it top to bottom."""
    configuration = configurations.load()
    environ = _environ_of_running(configuration)
    if not (configuration.checkout / NOTEBOOK).exists():
        raise Problem(f"{NOTEBOOK} is not in this checkout")
    python = _prepared(configuration, "notebook")
    target = configuration.home.path / f"executed-{NOTEBOOK}"
    command = [str(python), "-m", "jupyter"]
    if run:
        command += ["nbconvert", "--to", "notebook", "--execute", "--output", str(target), NOTEBOOK]
    else:
        command += ["lab", NOTEBOOK]
    environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the user's own
    code = subprocess.run(command, cwd=configuration.checkout, env=environ, check=False).returncode
    if run and code == 0:
        print(f"executed copy: {target}")
    return FAILED if code else 0


def load(arguments: Sequence[str]) -> int:
    """Send a measured load to the running system."""
    configuration = configurations.load()
    if not (configuration.checkout / "load").is_dir():
        raise Problem("the load generator is not in this checkout")
    environ = _environ_of_running(configuration)
    python = _prepared(configuration, "load")
    command = [str(python), "-m", "load", *arguments]
    return _become(command, environ, configuration.checkout)


def report(arguments: Sequence[str]) -> int:
    """One HTML page of the results of loads; needs no running system."""
    configuration = configurations.load()
    if not (configuration.checkout / "load").is_dir():
        raise Problem("the load generator is not in this checkout")
    command = [str(_prepared(configuration, "load")), "-m", "load.report", *arguments]
    return _become(command, without_settings(os.environ), configuration.checkout)


def _become(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> int:
    """Go on as ``command``, so that a signal reaches it as it would have reached this process."""
    if os.name == "nt":  # where a new program is a new process
        return subprocess.run(command, cwd=folder, env=environ, check=False).returncode
    os.chdir(folder)
    sys.stdout.flush()
    os.execve(command[0], list(command), environ)  # noqa: S606 - a program of ours, without a shell
    raise AssertionError("execve does not return")


def _prepared(configuration: Configuration, *more: str) -> Path:
    access.check_home(configuration)
    configuration.home.make()
    with alone(configuration.home.path / "lock"):
        return venv.ensure(configuration, *more)


def _environ_of_running(configuration: Configuration) -> dict[str, str]:
    told = _running_system(configuration).environment()
    return {**without_settings(os.environ), **told}


def _running_system(configuration: Configuration) -> System:
    return _system(configuration, mode.remembered(configuration) or mode.default())


def _system(configuration: Configuration, name: str) -> System:
    """Each mode is imported when it is asked for: ``local`` needs a Unix."""
    if name == mode.DOCKER:
        from launcher.docker import DockerSystem

        return DockerSystem(configuration)
    from launcher.local.system import LocalSystem

    return LocalSystem(configuration)
