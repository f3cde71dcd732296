"""More of everything: two gateways, three consumers, four workers and two pages share the work."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.kubernetes.faults import processes_of
from tests.support import compose_stored
from tests.support.kubernetes_site import Site, started
from tests.support.waiting import until

SCALED = {"gateway": 2, "consumer": 3, "worker": 4, "web": 2}
JOINS_S = 70.0
"""A gateway searches for consumers when a connection ends: after 60 s, give or take a tenth."""
FORGOTTEN_S = 100.0
"""RQ keeps a worker that gives no heartbeat for 77 s."""
COUNTERS = {
    "gateway": (8000, "fizzbuzz_gateway_accepted_messages_total"),
    "consumer": (9090, "fizzbuzz_consumer_accepted_messages_total"),
    "worker": (9090, "fizzbuzz_worker_stored_messages_total"),
}
_GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
_SEND = """
import json, sys, time, urllib.request
from datetime import UTC, datetime
run, seconds, *hosts = sys.argv[1:]
end, number = time.monotonic() + float(seconds), 0
while time.monotonic() < end:
    for host in hosts:
        body = json.dumps({"run": run, "number": number, "sent_at": datetime.now(UTC).isoformat()})
        headers = {"Content-Type": "application/json", "Host": "gateway"}
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:8000/messages", body.encode(), headers))
        number += 1
    time.sleep(0.02)
print(number)
"""
_REGISTERED = """
from redis import Redis
redis = Redis.from_url(open("/secrets/redis/url").read().strip())
print(*{name.decode().removeprefix("rq:worker:") for name in redis.smembers("rq:workers")})
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def growing() -> Iterator[Site]:
    """A system of its own, since the other tests count on one of each."""
    with started("fizzbuzz-scaled") as site:
        yield site


@pytest.fixture(scope="module")
def scaled(growing: Site) -> Site:
    for service, count in SCALED.items():
        growing.kubectl("scale", f"deployment/{service}", f"--replicas={count}")
    until(lambda: all(len(growing.pods(name)) == count for name, count in SCALED.items()), 30, "pods")
    until(growing.all_healthy, 120, "all healthy")
    return growing


def _ask(site: Site, pod: str, url: str) -> str:
    return site.kubectl("exec", pod, "--", "python", "-c", _GET, url)


def _counted(site: Site, service: str) -> dict[str, float]:
    """What each replica has counted."""
    port, name = COUNTERS[service]
    texts = {one.id: _ask(site, one.id, f"http://127.0.0.1:{port}/metrics") for one in site.pods(service)}
    matches = {id_: re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for id_, text in texts.items()}
    return {id_: float(match[1]) if match else 0.0 for id_, match in matches.items()}


def _addresses(site: Site, service: str) -> list[str]:
    found = site.get("pods", "--selector", f"app.kubernetes.io/name={service}")
    return [one["status"]["podIP"] for one in found if not one["metadata"].get("deletionTimestamp")]


def test_consumers_that_join_are_used_by_a_gateway_that_was_there(growing: Site) -> None:
    count = SCALED["consumer"]
    growing.kubectl("scale", "deployment/consumer", f"--replicas={count}")
    until(lambda: len(growing.pods("consumer")) == count and growing.all_healthy(), 60, "all healthy")
    began_s = time.monotonic()
    until(lambda: all(_counted(growing, "consumer").values()), JOINS_S, "all consumers are used")
    print(f"all consumers are used after {time.monotonic() - began_s:.0f} s")


def test_every_replica_does_a_share_of_the_work(scaled: Site) -> None:
    words = ("exec", "deploy/producer", "--", "python", "-c", _SEND, "scaled", "20")
    assert int(scaled.kubectl(*words, *_addresses(scaled, "gateway"))) > 500
    for service in COUNTERS:
        counted = _counted(scaled, service)
        print(counted)
        assert len(counted) == SCALED[service]
        assert all(counted.values()), counted


def test_replicas_have_names_of_their_own(scaled: Site) -> None:
    """A worker is named as its pod; a consumer makes a tag of its own at its start."""
    workers, consumers = (_values(scaled, *pair) for pair in (("write", "worker"), ("message", "consumer")))
    assert {one.id for one in scaled.pods("worker")} <= workers
    assert len(consumers) >= SCALED["consumer"]


def _values(site: Site, measurement: str, tag: str) -> set[str]:
    rows = compose_stored.ask(
        site.environment(),
        f'from(bucket: "messages") |> range(start: -10m)'
        f' |> filter(fn: (r) => r._measurement == "{measurement}")'
        f' |> keep(columns: ["{tag}"]) |> group() |> distinct(column: "{tag}")',
    )
    return {row["_value"] for row in rows}


def test_both_pages_have_the_same_figures_within_a_tick(scaled: Site) -> None:
    pods = [one.id for one in scaled.pods("web")]
    assert len(pods) == SCALED["web"]
    scaled.kubectl("scale", "deployment/producer", "--replicas=0")
    try:
        time.sleep(3)
        with ThreadPoolExecutor() as threads:
            first, second = threads.map(lambda pod: _figures(scaled, pod), pods)
        assert first == second
    finally:
        scaled.kubectl("scale", "deployment/producer", "--replicas=1")


def _figures(site: Site, pod: str) -> dict[str, Any]:
    found = json.loads(_ask(site, pod, "http://127.0.0.1:5000/fizzbuzz/stats"))
    return {name: found[name] for name in ("highest_number", "stored_total", "run", "ledger")}


def test_workers_that_ended_are_forgotten(scaled: Site) -> None:
    """Those that end in good order at once; one that was killed, after RQ's time."""
    ended, killed, *_ = scaled.pods("worker")
    for pid in processes_of(scaled, killed.id):
        os.kill(pid, signal.SIGKILL)
    scaled.kubectl("delete", "pod", killed.id, "--grace-period=0", "--force")
    scaled.kubectl("delete", "pod", ended.id)
    until(lambda: ended.id not in _registered(scaled), 10, "the one that ended is forgotten")
    until(lambda: killed.id not in _registered(scaled), FORGOTTEN_S, "the one that was killed is forgotten")
    assert _registered(scaled) == {one.id for one in scaled.pods("worker")}


def _registered(site: Site) -> set[str]:
    return set(site.kubectl("exec", "deploy/worker", "--", "python", "-c", _REGISTERED).split())
