"""Whole systems for tests, stopped and swept up whatever happens."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.launched import Launched

NewSystem = Callable[..., Launched]


@pytest.fixture
def new_system() -> Iterator[NewSystem]:
    """Makes systems that don't run yet; arguments are settings."""
    made: list[Launched] = []

    def make(folder: str = "home", **settings: str) -> Launched:
        made.append(Launched(Path(tempfile.mkdtemp(prefix="launched-")) / folder, **settings))
        return made[-1]

    yield make
    for system in made:
        _sweep(system)


@pytest.fixture(scope="module")
def system() -> Iterator[Launched]:
    """A system that runs; the tests of a module share it, and leave it running."""
    launched = Launched(Path(tempfile.mkdtemp(prefix="launched-")) / "home")
    launched.up()
    yield launched
    _sweep(launched)


def _sweep(system: Launched) -> None:
    if system.home.is_dir():
        system.start_sh("down")
    for pid in system.processes():
        system.kill(pid)
    shutil.rmtree(system.home.parent, ignore_errors=True)
