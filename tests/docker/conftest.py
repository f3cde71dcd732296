"""One system in containers for all tests of this folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.compose import engine
from launcher.errors import UserError
from tests.support.checkout import ODD
from tests.support.compose_site import Site
from tests.support.waiting import until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why they are skipped, where they are."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    why = _missing() if ours else ""
    for item in ours:
        item.add_marker(pytest.mark.docker)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


def _missing() -> str:
    """Why containers can't be tested here; empty where they can."""
    try:
        engine.check()
    except UserError as problem:
        return str(problem)
    return ""


@pytest.fixture(scope="package")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fizzbuzz-docker-"))
    yield folder / ODD
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def shared_site(home: Path) -> Iterator[Site]:
    site = Site(home)
    try:
        site.up()
        yield site
    finally:
        site.start_sh("down")
        done = site.start_sh("down", "--wipe")
        assert (done.returncode, site.left()) == (0, []), done.stdout + done.stderr


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The system, all healthy."""
    until(shared_site.all_healthy, 60, "all healthy")
    return shared_site
