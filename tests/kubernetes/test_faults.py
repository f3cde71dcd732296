"""Pods that end under load: nothing is lost, nothing is doubled."""

import json
import subprocess
import time
from functools import partial
from pathlib import Path

from launcher.kubernetes.pods import SERVICES
from tests.support.kubernetes_site import Site
from tests.support.waiting import until

RATE = 200
ROLLING_S = 95
"""Longer than an old consumer goes on beside its successor (deploy/kubernetes/base/consumer.yaml)."""


def _uids(site: Site) -> set[str]:
    """A pod of a StatefulSet has the name of the one before."""
    return {one["metadata"]["uid"] for one in site.get("pods")}


def _is_replaced(site: Site, uid: str) -> bool:
    return uid not in _uids(site) and site.all_healthy()


def test_each_pod_deleted_in_turn_under_load_loses_and_doubles_nothing(site: Site, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    with site.start_load(RATE, 60, result) as load:
        for service in SERVICES:
            time.sleep(2)
            (pod,) = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
            site.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=1", "--wait=false")
            began_s = time.monotonic()
            until(partial(_is_replaced, site, pod["metadata"]["uid"]), 90, f"{service} is healthy again")
            print(f"{service}: healthy again after {time.monotonic() - began_s:.1f} s")
        report, _ = load.communicate()
    assert load.returncode == 0, report
    assert json.loads(result.read_text())["verdict"] == "VALID"


_SEND = """
import http.client, json, sys, time
from datetime import UTC, datetime
run, seconds = sys.argv[1], float(sys.argv[2])
end, number, refused = time.monotonic() + seconds, 0, []
while time.monotonic() < end:
    body = json.dumps({"run": run, "number": number, "sent_at": datetime.now(UTC).isoformat()})
    try:
        connection = http.client.HTTPConnection("gateway", 8000, timeout=5)
        connection.request("POST", "/messages", body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
    except OSError as error:
        status = repr(error)
    if status != 202:
        refused.append(status)
    number += 1
    time.sleep(0.02)
print(json.dumps({"sent": number, "refused": refused}))
"""


def test_rolling_updates_of_gateway_and_consumer_refuse_no_request(site: Site) -> None:
    """Sent inside the cluster, a connection each: a forwarded port would end with its pod."""
    words = ("exec", "deploy/producer", "--", "python", "-c", _SEND, "rolling", str(ROLLING_S))
    with subprocess.Popen(site.cluster.command(*words), stdout=subprocess.PIPE, text=True) as sender:
        for service in ("gateway", "consumer"):
            time.sleep(1)
            site.kubectl("rollout", "restart", f"deployment/{service}")
            site.kubectl("rollout", "status", f"deployment/{service}", "--timeout=60s")
        assert sender.poll() is None
        report = json.loads(sender.communicate()[0])
    until(lambda: len(_uids(site)) == len(SERVICES), 30, "the old consumer has ended")
    assert report["sent"] > 1_000
    assert report["refused"] == []
