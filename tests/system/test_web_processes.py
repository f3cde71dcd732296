"""A web service of several processes is one to those who ask it."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.web_service import Feeder, Site, WebService, started

pytestmark = pytest.mark.system

STREAMS = 30
"""So many that no process gets none."""
WRITES_AT_S = 0.75
"""Of a second: half of one from the moment at which both processes read."""


@pytest.fixture
def site(tmp_path: Path, own_redis: RedisServer) -> Iterator[Site]:
    with started(tmp_path, own_redis.url, FIZZBUZZ_WEB_PROCESSES="2") as site:
        until(lambda: len(site.web.workers()) == 2, what="two processes")
        yield site


@pytest.fixture
def web(site: Site) -> WebService:
    return site.web


def test_metrics_are_those_of_all_processes_whichever_answers(web: WebService) -> None:
    streams = [web.events() for _ in range(STREAMS)]
    for stream in streams:
        next(stream)
    until(lambda: {metric(web, "streams") for _ in range(10)} == {STREAMS}, what="all streams are counted")
    assert all(connections(web, pid) > 0 for pid in web.workers()), "both processes have streams"


def test_both_processes_show_the_same_figures_in_each_second(site: Site) -> None:
    site.feeder.stop()
    feeder = Feeder(site.web.database, run="run-2")  # which writes when neither process reads
    seconds: dict[str, set[str]] = {}
    ids: set[str] = set()
    due_s = float(int(time.time())) + WRITES_AT_S
    until_s = time.monotonic() + 5
    while time.monotonic() < until_s:
        if time.time() >= due_s:
            feeder.feed()
            due_s += 1
        stats = site.web.stats()  # over a connection of its own, to either process
        ids.add(stats["at"])
        seconds.setdefault(stats.pop("at")[:19], set()).add(json.dumps(stats))
        time.sleep(0.02)
    feeder.stop()
    between = [found for _, found in sorted(seconds.items())[1:-1]]
    same = [found for found in between if len(found) == 1]  # a message may be stored between two readings
    assert len(same) >= 3, between
    assert len(ids) > len(seconds), "only one process answered"


def test_a_process_that_was_killed_is_replaced_and_its_streams_no_longer_count(web: WebService) -> None:
    streams = [web.events() for _ in range(STREAMS)]
    for stream in streams:
        next(stream)
    killed, other = web.workers()
    left = connections(web, other)
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(web.workers()) == 2 and killed not in web.workers(), what="no new process")
    until(
        lambda: web.ready() and metric(web, "streams") <= left, what="streams of the killed one still count"
    )


def test_processes_whose_first_one_was_killed_leave_the_port(web: WebService) -> None:
    assert web.process
    web.process.kill()
    web.start()  # on the same port, as a supervisor does: at once
    until(lambda: len(web.workers()) == 2, what="the port is not free")


def test_the_service_is_logged_as_started_once(web: WebService) -> None:
    assert [text for text in web.logged_events() if text.startswith("web ")] == ["web started"]


def test_a_port_that_another_system_has_is_not_shared_with_it(web: WebService) -> None:
    settings = {"FIZZBUZZ_WEB_PORT": str(web.port), "FIZZBUZZ_WEB_PROCESSES": "2"}
    second = WebService(web.directory, "redis://127.0.0.1:1", **settings)
    second.begin()
    assert second.process
    assert second.process.wait() == 1
    assert "address already in use" in web.log().splitlines()[-1]


def metric(web: WebService, name: str) -> float:
    lines = web.get("/metrics")[1].decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"fizzbuzz_web_{name} "))


def connections(web: WebService, pid: int) -> int:
    """Connections of clients to one process."""
    found = psutil.Process(pid).net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == web.port for one in found)
