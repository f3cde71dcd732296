"""What is done to a system in a cluster, and must be survived under load."""

import os
import signal
import time
from pathlib import Path

from tests.support.kubernetes_site import Site
from tests.support.waiting import until

RATE = 200
PROBED_S = 40.0
"""What does not answer for 15 s is killed 5 s later; a probe may wait 4 s, and a start takes a while."""


def restart_everything(site: Site) -> None:
    """Replace the pods of each Deployment and StatefulSet by the cluster's rolling update, all at once."""
    names = site.kubectl("get", "deployments,statefulsets", "-o", "name").split()
    site.kubectl("rollout", "restart", *names)
    for name in names:
        site.kubectl("rollout", "status", name, "--timeout=110s")


def hang(site: Site, service: str) -> float:
    """Freeze a service's processes; the seconds until its liveness probe has had it restarted."""
    (pod,) = site.pods(service)
    before = pod.status.restarts or 0
    began_s = time.monotonic()
    for pid in processes_of(site, pod.id):
        os.kill(pid, signal.SIGSTOP)
    until(lambda: _restarts(site, service) > before, PROBED_S, f"{service} is restarted")
    return time.monotonic() - began_s


def _restarts(site: Site, service: str) -> int:
    return sum(one.status.restarts or 0 for one in site.pods(service))


def processes_of(site: Site, pod: str) -> list[int]:
    """The processes of a pod's containers, which are this machine's too, but the one that holds the pod."""
    uid = site.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
    found = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cgroup")
        if _is_in(path, uid) and b"/pause" not in (path.parent / "cmdline").read_bytes()
    ]
    assert found
    return found


def _is_in(path: Path, uid: str) -> bool:
    try:
        return f"pod{uid}" in path.read_text()
    except OSError:
        return False
