"""One system in a cluster for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.kubernetes_site import Site, started
from tests.support.waiting import until


@pytest.fixture(scope="package")
def shared_site() -> Iterator[Site]:
    with started("fizzbuzz-test") as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The system, all healthy."""
    until(shared_site.all_healthy, 90, "all healthy")
    return shared_site
