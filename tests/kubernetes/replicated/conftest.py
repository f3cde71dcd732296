"""One system with replicas of Redis for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.kubernetes_site import Site, started
from tests.support.waiting import until


@pytest.fixture(scope="package")
def shared_site() -> Iterator[Site]:
    with started("fizzbuzz-replicas", FIZZBUZZ_REDIS_REPLICAS="1", FIZZBUZZ_WORKERS="2") as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The system, all healthy."""
    until(shared_site.all_healthy, 120, "all healthy")
    return shared_site
