"""What each pod may not do, tried from inside of it."""

from typing import Any

import pytest

from launcher.kubernetes.pods import SERVICES
from tests.support.kubernetes_site import Site

PORTS = (5000, 6379, 8000, 8086, 9090, 50051)
ALLOWED = {
    ("producer", "gateway", 8000),
    ("gateway", "consumer", 50051),
    ("consumer", "redis", 6379),
    ("worker", "redis", 6379),
    ("worker", "influxdb", 8086),
    ("web", "redis", 6379),
    ("web", "influxdb", 8086),
}
"""Who may open a connection to whom; anything else must fail."""
OUTSIDE = ("10.200.0.1/6443", "10.96.0.1/443", "10.200.0.11/10250")
"""The API server, by both of its addresses, and a node's kubelet."""
_CONNECT = """
for target; do
  (timeout 2 bash -c "exec 3<>/dev/tcp/$target" 2>/dev/null && echo "$target") &
done
wait
"""


def _pod(site: Site, service: str) -> dict[str, Any]:
    (found,) = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
    return found


def _connect(site: Site, service: str, targets: list[str]) -> set[str]:
    """Those that a process in the pod can connect to."""
    pod = site.pods(service)[0].id
    return set(site.kubectl("exec", pod, "--", "bash", "-c", _CONNECT, "bash", *targets).split())


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_reaches_only_those_it_works_with(site: Site, service: str) -> None:
    """Tried by address: that a name is not known would be no guard."""
    targets = {
        f"{_pod(site, other)['status']['podIP']}/{port}": (service, other, port)
        for other in SERVICES
        for port in PORTS
        if other != service
    }
    reached = _connect(site, service, [*targets, *OUTSIDE])
    assert reached & set(OUTSIDE) == set()
    assert {targets[one] for one in reached} == {pair for pair in ALLOWED if pair[0] == service}


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
