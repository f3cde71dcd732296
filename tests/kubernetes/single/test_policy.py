"""What each pod may not do, tried from inside of it."""

from typing import Any

import pytest

from launcher.kubernetes.pods import SERVICES
from tests.kubernetes.policy import ALLOWED, reached_by_each
from tests.support.kubernetes_site import Site


def _pod(site: Site, service: str) -> dict[str, Any]:
    (found,) = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
    return found


def test_a_pod_reaches_only_those_it_works_with(site: Site) -> None:
    expected = {service: {pair for pair in ALLOWED if pair[0] == service} for service in SERVICES}
    assert reached_by_each(site, SERVICES) == expected


def test_the_namespace_enforces_the_restricted_profile(site: Site) -> None:
    (namespace,) = (one for one in site.get("namespaces") if one["metadata"]["name"] == site.namespace)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("service", SERVICES)
def test_the_main_process_has_no_rights_to_give_away(site: Site, service: str) -> None:
    status = site.kubectl("exec", site.pods(service)[0].id, "--", "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"


def test_a_secret_is_mounted_where_it_is_needed(site: Site) -> None:
    mounted = {
        service: {v["secret"]["secretName"] for v in _pod(site, service)["spec"]["volumes"] if "secret" in v}
        for service in SERVICES
    }
    assert mounted == {
        "producer": {"api-token"},
        "gateway": {"api-token"},
        "consumer": {"redis-consumer"},
        "worker": {"redis-worker", "write-token"},
        "web": {"redis-web", "read-token"},
        "redis": {"redis-users", "redis-launcher"},
        "influxdb": set(),
    }
