"""One system in a cluster for all tests of this folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kubernetes_site
from tests.support.kubernetes_site import Site
from tests.support.waiting import until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why they are skipped, where they are."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    why = kubernetes_site.missing() if ours else ""
    for item in ours:
        item.add_marker(pytest.mark.kubernetes)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="package")
def shared_site() -> Iterator[Site]:
    home = Path(tempfile.mkdtemp(prefix="fizzbuzz-kubernetes-"))
    site = Site(home, "fizzbuzz-test")
    kubernetes_site.load_images()
    site.make_volumes()
    try:
        done = site.start_sh("up", "--mode", "kubernetes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield site
    finally:
        done = site.start_sh("down", "--wipe")
        site.delete_volumes()
        shutil.rmtree(home, ignore_errors=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The system, all healthy."""
    until(shared_site.all_healthy, 90, "all healthy")
    return shared_site
