"""Whole systems for tests, stopped and swept up whatever happens."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.configuration import CHECKOUT
from tests.support.launched import Launched

NewSystem = Callable[..., Launched]

NOT_MEASURED = {
    *("test_bench", "test_bench_rivals", "test_load_faults"),
    *("test_conditions", "test_docs", "test_open_system", "test_repeats", "test_strangers"),
}
"""Modules whose systems run without coverage, which takes as much processor time as a start itself: other
tests reach the same lines."""


@pytest.fixture(scope="module", autouse=True)
def _measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether coverage measures the processes that a module's tests start."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem in NOT_MEASURED and "COVERAGE_PROCESS_START" in os.environ:
            patch.delenv("COVERAGE_PROCESS_START")
        yield


@pytest.fixture
def new_system() -> Iterator[NewSystem]:
    """Makes systems that don't run yet; arguments are settings."""
    made: dict[Path, Launched] = {}

    def make(folder: str = "home", *, checkout: Path = CHECKOUT, **settings: str) -> Launched:
        root = Path(tempfile.mkdtemp(prefix="launched-"))
        made[root] = Launched(root / folder, checkout, **settings)
        return made[root]

    yield make
    for root, launched in made.items():
        remove_leftovers(root, launched)


@pytest.fixture(scope="module")
def system() -> Iterator[Launched]:
    """A system that runs; the tests of a module share it, and leave it running."""
    root = Path(tempfile.mkdtemp(prefix="launched-"))
    launched = Launched(root / "home")
    try:
        launched.up()
        yield launched
    finally:
        remove_leftovers(root, launched)


def remove_leftovers(root: Path, system: Launched) -> None:
    """Stop what runs of a system in ``root``, whatever state it is in, and delete its files."""
    if system.home.is_dir():
        system.start_sh("down")
    for pid in system.processes():
        system.kill(pid)
    shutil.rmtree(root, ignore_errors=True)
