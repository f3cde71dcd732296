"""What each pod may not do where there are Sentinels."""

import pytest

from launcher.kubernetes import pods
from tests.kubernetes.policy import ALLOWED, reached_by_each
from tests.support.kubernetes_site import Site

SERVICES = pods.services(replicas=True)
GROUP = {
    *ALLOWED,
    *((service, "sentinel", 26379) for service in ("consumer", "worker", "web", "redis", "sentinel")),
    ("redis", "redis", 6379),
    ("sentinel", "redis", 6379),
}
"""Services ask the Sentinels; servers and Sentinels reach each other."""

pytestmark = pytest.mark.long


def test_a_pod_reaches_only_those_it_works_with(site: Site) -> None:
    expected = {service: {pair for pair in GROUP if pair[0] == service} for service in SERVICES}
    assert reached_by_each(site, SERVICES) == expected
