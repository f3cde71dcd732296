"""Commands that run a program beside the system: tests, notebook, load, failed messages, runs and so on."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher import access, bootstrap, configuration, run_command, saved_state, trace
from launcher.configuration import Configuration, of_programs, without_settings
from launcher.errors import FAILED, UserError
from launcher.lock import exclusive_lock
from launcher.mode import LOCAL
from launcher.system import System, find_running, last_configuration

NOTEBOOK = "producer_consumer.ipynb"
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")
"""For pytest-xdist: more of them than cores make each test wait for the others."""
UNIT = "tests/unit/"
_LEAVE_OUT = ("--ignore", "--ignore-glob", "--deselect")
"""Options of pytest whose value is a path that is not run."""


def test(arguments: Sequence[str]) -> int:
    """Run pytest; its exit status is ours. Unit tests alone need few packages, and one process."""
    wanted = configuration.load()
    alone = _only_unit_tests(arguments)
    python = _prepared(wanted, *(("unit",) if alone else ("redis", "test")))
    environ = {**_test_settings(os.environ), "FIZZBUZZ_VENV": str(python.parent.parent)}
    options = () if alone else SIDE_BY_SIDE
    return _become([str(python), "-m", "pytest", *options, *arguments], wanted.checkout, environ)


def _only_unit_tests(arguments: Sequence[str]) -> bool:
    """Whether paths are among the arguments, and all are below ``tests/unit``."""
    before = ("", *arguments)
    paths = [
        one
        for option, one in zip(before, arguments, strict=False)
        if one.startswith("tests") and option not in _LEAVE_OUT
    ]
    return bool(paths) and all(f"{one}/".startswith(UNIT) for one in paths)


def _test_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """No settings: they mean a system that is in use. In CI, ``INFLUXDB_*`` names a server for the tests."""
    kept = {name: value for name, value in environ.items() if name.startswith("INFLUXDB_")}
    return {**without_settings(environ), **(kept if environ.get("CI") else {})}


def notebook(*, run: bool) -> int:
    """Open the notebook, or run it top to bottom."""
    system, running = _running()
    if not system.runs_notebook:
        raise UserError("the notebook pauses the workers, which it can't do in a cluster")
    if not (running.checkout / NOTEBOOK).exists():
        raise UserError(f"{NOTEBOOK} is not in this checkout")
    if running.settings.rate == 0:
        raise UserError(
            "the notebook needs the producer's messages, but the system was started with FIZZBUZZ_RATE=0:"
            " set it to 1, then ./start.sh restart"
        )
    environ = {**of_programs(os.environ), **system.environment()}
    python = _prepared(running, "notebook")
    environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the user's own
    command = [str(python), "-m", "jupyter"]
    if not run:
        return FAILED if _run([*command, "lab", NOTEBOOK], running.checkout, environ) else 0
    print(f"running {NOTEBOOK}, which takes about a minute", flush=True)
    target = running.home.path / f"executed-{NOTEBOOK}"
    command += ["nbconvert", "--to", "notebook", "--execute", "--output", str(target), NOTEBOOK]
    run_command.logged(command, running.home.logs / "notebook.log", f"{NOTEBOOK} failed", environ=environ)
    print(f"executed copy: {target}")
    return 0


def load(arguments: Sequence[str]) -> int:
    """Send a measured load to the running system; files are named from where the user is."""
    if {"-h", "--help"} & set(arguments):
        wanted, env = configuration.load(), {}
    else:
        system, wanted = _running()
        env = dict(system.environment())
    return _run_load(wanted, "load", arguments, env)


def bench(arguments: Sequence[str]) -> int:
    """Run benchmarks of systems of their own; files are named from where the user is."""
    wanted = configuration.load()
    python = _prepared(wanted, "redis", "test")
    own = {"FIZZBUZZ_VENV": str(python.parent.parent), "FIZZBUZZ_HOME": str(wanted.home.path)}
    return _become_where_typed([str(python), "-m", "bench", *arguments], wanted, own)


def report(arguments: Sequence[str]) -> int:
    """One HTML page of the results of loads; needs no running system."""
    return _run_load(configuration.load(), "load.report", arguments, {})


def failed(arguments: Sequence[str]) -> int:
    """List failed messages, queue them again or delete them."""
    return _run_beside_worker("worker.failed", arguments)


def runs(arguments: Sequence[str]) -> int:
    """List the runs in the database, or delete one."""
    return _run_beside_worker("worker.runs", arguments)


def trace_message(arguments: Sequence[str]) -> int:
    """Show one message: each moment that it passed, and where it is now."""
    wanted = trace.parsed(arguments)
    _, running = _running()
    return trace.show(running.settings, wanted)


def _run_beside_worker(name: str, arguments: Sequence[str]) -> int:
    """Run a module of the worker where a worker runs, with its settings."""
    module = ("-m", name, *arguments)
    if {"-h", "--help"} & set(arguments):
        return _run([sys.executable, *module], configuration.CHECKOUT, os.environ)
    system, running = _running()
    inside = system.in_worker_container(("python", *module))
    if inside:
        command, environ = inside
        return _run(command, running.checkout, environ)
    path = {"PYTHONPATH": str(running.checkout)}
    environ = {**of_programs(os.environ), **system.environment(), **path}
    return _become([str(_prepared(running)), *module], running.checkout, environ)


def _run_load(
    wanted: Configuration, module: str, arguments: Sequence[str], settings: Mapping[str, str]
) -> int:
    python = _prepared(wanted, "load")
    return _become_where_typed([str(python), "-m", module, *arguments], wanted, settings)


def _become_where_typed(command: list[str], wanted: Configuration, settings: Mapping[str, str]) -> int:
    """Continue as ``command`` in the folder that the user is in, whose Python files are not the program's."""
    folder = Path(os.environ.get("START_SH_CWD") or wanted.checkout)
    found = {"PYTHONPATH": str(wanted.checkout), "PYTHONSAFEPATH": "1"}  # for what it starts, too
    return _become(command, folder, {**of_programs(os.environ), **settings, **found})


def _running() -> tuple[System, Configuration]:
    home = configuration.home_of()
    system = find_running(home)
    if system is None:
        raise UserError("the system isn't running: start it with ./start.sh up")
    return system, last_configuration(home)


def _prepared(wanted: Configuration, *groups: str) -> Path:
    access.check_home(wanted)
    wanted.home.make()
    with exclusive_lock(wanted.home.lock):
        saved = saved_state.load(wanted.home)
        lives_in_it = saved is not None and saved.mode == LOCAL and find_running(wanted.home) is not None
        return bootstrap.ensure(wanted, "run", *groups, running=lives_in_it)


def _become(command: list[str], folder: Path, environ: Mapping[str, str]) -> int:
    """Continue as ``command``, so that a signal to this process reaches it."""
    if os.name == "nt":  # where a new program is a new process
        return _run(command, folder, environ)
    os.chdir(folder)
    sys.stdout.flush()
    os.execve(command[0], command, dict(environ))  # noqa: S606 - a program of ours, without a shell
    raise AssertionError("execve does not return")


def _run(command: list[str], folder: Path, environ: Mapping[str, str]) -> int:
    """Its exit status. Ctrl-C reaches it too, and it handles that itself."""
    process = subprocess.Popen(command, cwd=folder, env=environ)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code
