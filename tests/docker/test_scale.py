"""More replicas of a service share its work, behind the same ports."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPResponse, IncompleteRead
from queue import Queue
from typing import Any
from urllib.request import urlopen

import pytest

from launcher.compose import engine
from tests.docker.test_faults import assert_all_stored_once
from tests.support import compose_stored
from tests.support.compose_site import Site
from tests.support.sender import Sender
from tests.support.waiting import Stopwatch, until

SCALED = {"consumer": 2, "gateway": 2, "worker": 3, "web": 2}


@pytest.fixture(scope="module")
def scaled(shared_site: Site) -> Iterator[Site]:
    """Replicas of every service that has no state, and the port of none of them taken twice."""
    wanted = [word for service, count in SCALED.items() for word in ("--scale", f"{service}={count}")]
    # The consumers, which stand first, alone at first: a gateway searches for new ones once a minute only.
    shared_site.compose("up", "--detach", "--no-recreate", *wanted[:2])
    shared_site.compose("up", "--detach", "--no-recreate", *wanted)
    until(shared_site.all_healthy, 60, "all healthy")
    yield shared_site
    shared_site.compose("up", "--detach", "--no-recreate")
    until(shared_site.all_healthy, 60, "all healthy")


def test_every_replica_does_a_share_of_the_work_and_none_of_it_is_lost(scaled: Site) -> None:
    sender = Sender(scaled.settings["FIZZBUZZ_GATEWAY_PORT"], "scaled", batch=1, keep_alive=False)
    with sender:
        until(lambda: all(_shares(scaled).values()) and len(sender.accepted) > 100, 60, "a share for each")
    assert_all_stored_once(scaled, sender)
    assert len(_shares(scaled)) == sum(count for service, count in SCALED.items() if service != "web")


def _shares(site: Site) -> dict[str, float]:
    """What each replica has counted."""
    counters = {
        "gateway": (8000, "fizzbuzz_gateway_accepted_messages_total"),
        "consumer": (9090, "fizzbuzz_consumer_accepted_messages_total"),
        "worker": (9090, "fizzbuzz_worker_stored_messages_total"),
    }
    return {
        one.name: _counter(site, one.id, *counters[service])
        for service in counters
        for one in site.containers(service)
    }


def _counter(site: Site, container: str, port: int, name: str) -> float:
    code = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
    text = site.run_in_container(container, "python", "-c", code).stdout
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_workers_have_names_of_their_own(scaled: Site) -> None:
    rows = compose_stored.ask(
        scaled.environment(),
        'from(bucket: "messages") |> range(start: -5m) |> filter(fn: (r) => r._measurement == "write")'
        ' |> keep(columns: ["worker"]) |> group() |> distinct(column: "worker")',
    )
    workers = {f"worker-{one.id[:12]}" for one in scaled.containers("worker")}
    assert len(workers) == SCALED["worker"]
    assert workers <= {row["_value"] for row in rows}


def test_each_replica_of_the_page_has_the_same_figures(scaled: Site) -> None:
    replicas = scaled.containers("web")
    assert len(replicas) == SCALED["web"]
    assert {scaled.stats()["run"]["id"] for _ in range(10)} == {_stats(scaled, replicas[0].id)["run"]["id"]}
    until(lambda: len({_figures(scaled, one.id) for one in replicas}) == 1, 30, "the same figures")


def _figures(site: Site, container: str) -> tuple[str, int, int]:
    """What one replica shows; two that are asked at different sides of a full second may differ."""
    stats = _stats(site, container)
    return stats["run"]["id"], stats["highest_number"], stats["stored_total"]


def _stats(site: Site, container: str) -> dict[str, Any]:
    """The figures of one replica, asked itself."""
    code = (
        "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5000/fizzbuzz/stats').read().decode())"
    )
    found: dict[str, Any] = json.loads(site.run_in_container(container, "python", "-c", code).stdout)
    return found


def test_status_names_every_replica(scaled: Site) -> None:
    names = {line.split()[0] for line in scaled.start_sh("status").stdout.splitlines()}
    assert names >= {"gateway", "gateway-2", "consumer", "consumer-2", "worker-1", "worker-3", "web-2"}


def test_the_stream_of_a_replica_that_is_cut_off_ends_soon(scaled: Site) -> None:
    *_, last = scaled.containers("web")
    ended: Queue[HTTPResponse] = Queue()
    for _ in range(2):  # one for each replica: the proxy asks the one with the fewest connections
        stream = urlopen(_url(scaled, "stream"))
        threading.Thread(target=_follow, args=(stream, ended), daemon=True).start()
    engine.run("network", "disconnect", "--force", f"{scaled.project.name}_store", last.id)
    ended.get(timeout=8)
    assert ended.empty()  # the other goes on


def test_a_replica_that_is_removed_keeps_nobody_waiting(scaled: Site) -> None:
    url = _url(scaled, "stream")
    *_, last = scaled.containers("web")
    engine.run("rm", "--force", last.id)
    scaled.compose("up", "--detach", "--no-recreate", "--scale", "web=2")
    until(scaled.all_healthy, 60, "all healthy")
    *_, last = scaled.containers("web")
    with ExitStack() as streams:

        def served() -> bool:
            """Whether a new stream goes to it: the proxy chooses the replica that has the fewest."""
            streams.enter_context(urlopen(url))
            return _counter(scaled, last.id, 5000, "fizzbuzz_web_streams") > 0

        until(served, what="the proxy does not find it")
    engine.run("rm", "--force", last.id)
    for _ in range(20):
        watch = Stopwatch()
        with urlopen(_url(scaled, "stats"), timeout=30) as answer:  # once: a 503 is an error here
            assert json.load(answer)["run"]
        assert watch.seconds < 2


def _url(site: Site, path: str) -> str:
    return f"http://127.0.0.1:{site.settings['FIZZBUZZ_WEB_PORT']}/fizzbuzz/{path}"


def _follow(stream: HTTPResponse, ended: Queue[HTTPResponse]) -> None:
    """Read to the end, and say that it has come."""
    with suppress(IncompleteRead):
        while stream.read1():
            pass
    ended.put(stream)
