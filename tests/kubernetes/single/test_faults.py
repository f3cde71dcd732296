"""Pods that end under load: nothing is lost, nothing is doubled."""

import json
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from launcher.kubernetes.pods import SERVICES
from tests.kubernetes.faults import hang, restart_everything
from tests.support.kubernetes_site import Site, lost
from tests.support.waiting import until

RATE = 200
LOST_NODE_S = 45.0
"""12 s until the cluster finds that a node is lost, 10 s until its pods start elsewhere, and their start."""
REPLACED_S = 15.0
ROLLING_S = 95
"""Longer than an old consumer goes on beside its successor (deploy/kubernetes/base/consumer.yaml)."""


def _uids(site: Site) -> set[str]:
    """A pod of a StatefulSet has the name of the one before."""
    return {one["metadata"]["uid"] for one in site.get("pods")}


def _is_replaced(site: Site, uid: str) -> bool:
    return uid not in _uids(site) and site.all_healthy()


def _replaced(site: Site, service: str, *how: str) -> float:
    """Delete the pod of a service; the seconds until another one is there and all are healthy."""
    (pod,) = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
    site.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false", *how)
    began_s = time.monotonic()
    until(partial(_is_replaced, site, pod["metadata"]["uid"]), 90, f"{service} is healthy again")
    return time.monotonic() - began_s


def test_each_pod_deleted_in_turn_under_load_loses_and_doubles_nothing(site: Site, tmp_path: Path) -> None:
    with site.under_load(RATE, 60, tmp_path) as load:
        for service in SERVICES:
            time.sleep(2)
            print(f"{service}: healthy again after {_replaced(site, service, '--grace-period=1'):.1f} s")
    assert load.pause_s < REPLACED_S


@pytest.mark.long
def test_a_rolling_restart_of_everything_under_load_loses_and_doubles_nothing(
    site: Site, tmp_path: Path
) -> None:
    with site.under_load(RATE, 120, tmp_path):
        restart_everything(site)
    until(lambda: len(_uids(site)) == len(SERVICES), 60, "the old consumer has ended")


@pytest.mark.long
def test_a_node_without_redis_and_influxdb_is_lost_and_comes_back(site: Site, tmp_path: Path) -> None:
    there = {one.service for one in site.pods() if site.node_of(one.id) == "node3"}
    print("on the node:", there)
    with site.under_load(RATE, 90, tmp_path) as load:
        with lost("node3"):
            time.sleep(40)
        until(site.all_healthy, 120, "all healthy")
    assert load.pause_s < LOST_NODE_S


@pytest.mark.long
def test_the_node_with_redis_is_waited_for(site: Site, tmp_path: Path) -> None:
    """Nothing is accepted meanwhile, and nothing is lost."""
    with site.under_load(RATE, 100, tmp_path) as load:
        with lost("node1"):
            time.sleep(15)
            until(lambda: load.acceptance.longest_pause_s() > 10, 60, "nothing is accepted meanwhile")
        until(site.all_healthy, 120, "all healthy")


@pytest.mark.long
def test_each_service_that_hangs_is_restarted(site: Site, tmp_path: Path) -> None:
    with site.under_load(RATE, 200, tmp_path):
        for service in SERVICES:
            seconds = hang(site, service)
            until(site.all_healthy, 60, "all healthy")
            print(f"{service}: restarted after {seconds:.1f} s")


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


@pytest.mark.long
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
