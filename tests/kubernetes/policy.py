"""Which connections a pod can open."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.support.kubernetes_site import Site

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
PORTS = (5000, 6379, 8000, 8086, 9090, 26379, 50051)
OUTSIDE = ("10.200.0.1/6443", "10.96.0.1/443", "10.200.0.11/10250")
"""The API server, by both of its addresses, and a node's kubelet."""
AT_A_TIME = 40
_CONNECT = """
for target; do
  (timeout 2 bash -c "exec 3<>/dev/tcp/$target" 2>/dev/null && echo "$target") &
done
wait
"""


def reached_by_each(site: Site, services: Sequence[str]) -> dict[str, set[tuple[str, str, int]]]:
    """What a pod of each service can connect to."""
    with ThreadPoolExecutor(len(services)) as pool:
        found = pool.map(lambda service: _reached(site, service, services), services)
        return dict(zip(services, found, strict=True))


def _reached(site: Site, service: str, services: Sequence[str]) -> set[tuple[str, str, int]]:
    """What one pod of a service can connect to: pods of all services, and nothing outside.

    Tried by address: that a name is not known would be no guard.
    """
    first, *_ = site.pods(service)
    targets = {
        f"{address}/{port}": (service, other, port)
        for other in services
        for pod, address in _addresses(site, other).items()
        for port in PORTS
        if pod != first.id
    }
    found = _connected(site, first.id, [*targets, *OUTSIDE])
    assert found & set(OUTSIDE) == set()
    # On a busy machine two seconds may be too few for what is allowed.
    late = [target for target, pair in targets.items() if pair in ALLOWED and target not in found]
    return {targets[one] for one in found | _connected(site, first.id, late)}


def _connected(site: Site, pod: str, wanted: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in batched(wanted):
        found.update(site.kubectl("exec", pod, "--", "bash", "-c", _CONNECT, "bash", *some).split())
    return found


def batched(targets: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as the memory of a Sentinel has room for."""
    for first in range(0, len(targets), AT_A_TIME):
        yield targets[first : first + AT_A_TIME]


def _addresses(site: Site, service: str) -> dict[str, str]:
    there = {one.id for one in site.pods(service)}
    found = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
    return {
        one["metadata"]["name"]: one["status"]["podIP"] for one in found if one["metadata"]["name"] in there
    }
