"""Which folder may import which, read from the sources."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SERVICES = {"producer", "gateway", "consumer", "worker", "web"}
SHARED = {"pipeline", "proto"}
TOOLS = {"load", "bench"}
OURS = {*SERVICES, *SHARED, *TOOLS, "launcher", "deploy", "tests"}
MAY_IMPORT = {
    "proto": set(),
    "pipeline": {"proto"},
    **dict.fromkeys(sorted(SERVICES), SHARED),
    # The dotted path that waiting jobs name: ``consumer.job.store`` leads to the worker.
    "consumer": {*SHARED, "worker"},
    "deploy": {"pipeline"},
    "launcher": SHARED,
    "load": {"pipeline"},
    "bench": {*SHARED, "gateway", "consumer", "worker", "web", "load", "launcher", "tests"},
}
"""Down only; no service imports another. Benchmarks also time functions of services."""


def imports(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """The modules that a file imports; with ``at_import`` only those that are imported with it."""
    tree = ast.parse(path.read_text())
    for node in tree.body if at_import else ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{name.name}" for name in names)


def files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_is_below_it(folder: str) -> None:
    found = {
        (path.relative_to(PROJECT).as_posix(), name)
        for path in files(folder)
        for name in imports(path)
        if name.partition(".")[0] in OURS - MAY_IMPORT[folder] - {folder}
    }
    assert found == set()


def test_the_one_import_of_another_service_is_the_path_that_waiting_jobs_name() -> None:
    crossing = {
        path.relative_to(PROJECT).as_posix()
        for path in files("consumer")
        for name in imports(path)
        if name.startswith("worker")
    }
    assert crossing == {"consumer/job.py"}


def _reached(start: str) -> set[Path]:
    """The files of ours that are imported with the module ``start``."""
    reached: set[Path] = set()
    waiting = [start]
    while waiting:
        path = _path(waiting.pop())
        if path and path not in reached:
            reached.add(path)
            waiting += imports(path, at_import=True)
    return reached


def _path(name: str) -> Path | None:
    """The file of a module of ours, or of the module that has this name in it."""
    if name.partition(".")[0] not in OURS:
        return None
    base = PROJECT.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py", base.parent.with_suffix(".py"))
    return next((one for one in candidates if one.exists()), None)


def test_the_first_half_of_the_launcher_is_standard_library() -> None:
    """It runs before anything is installed."""
    reached = _reached("launcher.cli") | _reached("launcher.compose.system")
    assert len(reached) > 20
    strangers = {
        (path.relative_to(PROJECT).as_posix(), name)
        for path in reached
        for name in imports(path, at_import=True)
        if name.partition(".")[0] not in OURS | sys.stdlib_module_names
    }
    assert strangers == set()
