"""Whole systems for tests, stopped and swept up whatever happens."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.configuration import CHECKOUT
from launcher.layout import Layout
from launcher.local import process_lock
from tests.support.launched import Launched

NewSystem = Callable[..., Launched]

MEASURED = {
    *("test_bursts", "test_failed", "test_launcher_redis", "test_launcher_tls", "test_load", "test_stream"),
}
"""Modules whose processes run with coverage, by which each takes twice its processor time to start: what the
others start reaches the same lines."""
_COVERAGE = "COVERAGE_PROCESS_START"


@pytest.fixture(scope="module", autouse=True)
def _measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether coverage measures the processes that a module's tests start."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem not in MEASURED:
            patch.delenv(_COVERAGE, raising=False)
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
    """Kill what runs of a system in ``root``, whatever state it is in, and delete its files."""
    if _COVERAGE in os.environ and system.processes():
        system.start_sh("down")  # a process that is killed writes nothing of what was measured
    home = Layout(system.home)
    process_lock.kill_all(home.run, home.sockets)  # in the order in which nothing starts it again
    for pid in system.processes():
        system.kill(pid)
    shutil.rmtree(root, ignore_errors=True)
