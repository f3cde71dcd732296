"""One system with certificates for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.certificates import Certificates
from tests.support.kubernetes_site import Site, started
from tests.support.waiting import until


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One certificate for http, and one for gRPC."""
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("grpc")
    return made


@pytest.fixture(scope="package")
def shared_site(made: Certificates) -> Iterator[Site]:
    with started("fizzbuzz-tls", **made.https(), **made.grpc("grpc")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The system, all healthy."""
    until(shared_site.all_healthy, 90, "all healthy")
    return shared_site
