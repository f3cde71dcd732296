"""How a system's objects are deleted within seconds: pods first, and by as few requests as possible."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from launcher.kubernetes.cluster import CALL_S, PART_OF, Cluster

_OWNERS = (
    *("apis/apps/v1/deployments", "apis/apps/v1/replicasets", "apis/apps/v1/statefulsets"),
    "apis/batch/v1/jobs",
)
KINDS = (
    *("api/v1/services", "api/v1/configmaps"),
    *("apis/networking.k8s.io/v1/networkpolicies", "apis/policy/v1/poddisruptionbudgets"),
)
"""What ``down`` deletes, besides the pods and their owners; volumes, secrets and the namespace stay."""
_GRACE_S = 1
"""What a pod has for its ``preStop``; from then on it has 2 s to end, the least that the kubelet gives."""


def release_pods(cluster: Cluster) -> None:
    """Have no pod replaced. The cluster, left to end them too, would give them all of their own time."""
    for kind in _OWNERS:  # a Deployment would replace its ReplicaSet, too
        cluster.delete_all(kind, PART_OF, propagationPolicy="Orphan")


def end(cluster: Cluster, selector: str, kinds: Sequence[str] = ()) -> None:
    """End pods; delete ``kinds`` while they end, and not before: the cluster's writes take their time."""
    cluster.delete_all("api/v1/pods", selector, gracePeriodSeconds=_GRACE_S)
    with ThreadPoolExecutor() as threads:
        calls = threads.map(lambda kind: cluster.delete_all(kind, selector), kinds)
        words = ("wait", "--for=delete", "pods", "--selector", selector, f"--timeout={CALL_S:.0f}s")
        cluster.run(*words, timeout_s=None)
    list(calls)
