"""The web service as a process of its own: its stream, its faults, its end."""

import itertools
import json
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.clock import NS_PER_MS
from pipeline.queue.state_reporter import StateReporter
from pipeline.store import StoreUnavailable
from pipeline.store.influx import InfluxStore
from tests.support import nginx, plain_stream
from tests.support.batches import batch
from tests.support.child_process import PROJECT
from tests.support.endless_page import endless
from tests.support.influxdb import InfluxServer
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, awaited, until
from tests.support.web_service import Site, WebService, started
from web.open_streams import SPARE_FILES

pytestmark = pytest.mark.system

NOTICED_S = 3.0
"""A fault is reported within this."""

EVENTS_MS = 2_500
"""Ids are milliseconds, an event a second: less than three events."""

STOPPED_S = 1.9
"""A stop takes no longer: less than the time after which a worker process is killed."""


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory, shared_redis: RedisServer) -> Iterator[Site]:
    """One for all tests that change nothing."""
    with started(tmp_path_factory.mktemp("web"), shared_redis.url) as site:
        yield site


@pytest.fixture
def shared_web(shared_site: Site) -> WebService:
    return shared_site.web


@pytest.fixture
def web(tmp_path: Path, own_redis: RedisServer) -> Iterator[WebService]:
    """One of the test's own, to break."""
    with started(tmp_path, own_redis.url) as site:
        yield site.web


def collect(events: Iterator[dict[str, str]], count: int) -> list[dict[str, str]]:
    return list(itertools.islice(events, count))


def gaps_s(events: Iterator[dict[str, str]], count: int) -> list[float]:
    """Between one event and the next, of so many; on a busy machine, of a machine that is not."""
    next(events)
    found = []
    for _ in range(count - 1):
        watch = Stopwatch()
        next(events)
        found.append(watch.seconds)
    return found


def test_a_stream_begins_at_once_and_goes_on_once_a_second_with_rising_ids(shared_site: Site) -> None:
    watch = Stopwatch()
    stream, again = itertools.tee(shared_site.web.events())
    next(stream)
    assert watch.seconds < 0.5
    assert max(gaps_s(stream, 4)) < 1.5
    fed = shared_site.feeder.highest
    newest = collect(stream, 2)[-1]  # the first of them may have been read before
    assert json.loads(newest["data"])["highest_number"] >= fed
    events = collect(again, 5)
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(set(ids))
    # They are milliseconds; the first may be late by most of a second, where the machine is busy.
    assert ids[-1] - ids[0] > 3_050, "more than one event in a second"
    assert {event["event"] for event in events} == {"stats"}
    numbers = [json.loads(event["data"])["highest_number"] for event in events]
    assert numbers == sorted(numbers)
    assert numbers[-1] > numbers[0]


def test_a_proxy_that_buffers_passes_each_event_on_before_the_next(
    shared_web: WebService, tmp_path: Path
) -> None:
    with nginx.before(shared_web.port, tmp_path) as port:
        late_ms = []
        for event in itertools.islice(shared_web.events(port=port), 5):
            newest = next(shared_web.events())  # with which every stream begins
            late_ms.append(int(newest["id"]) - int(event["id"]))
    assert max(late_ms) < EVENTS_MS


@pytest.mark.parametrize("path", ["stream", "stream?detail=1"])
@pytest.mark.parametrize("program", ["requests", "curl", "requests behind a proxy"])
def test_programs_that_unpack_a_compressed_stream_get_each_event_at_once(
    shared_web: WebService, tmp_path: Path, program: str, path: str
) -> None:
    with plain_stream.beside(shared_web) as plain, ExitStack() as stack:
        url = shared_web.url
        if program.endswith("proxy"):
            port = stack.enter_context(nginx.before(shared_web.port, tmp_path))
            url = url.replace(f":{shared_web.port}/", f":{port}/")
        lines = curled if program == "curl" else requested
        arrived = {
            int(line.removeprefix(b"id: ")): time.time_ns() // NS_PER_MS
            for line in stack.enter_context(lines(url + path))
            if line.startswith(b"id: ")
        }
        late_ms = plain_stream.late_ms(arrived, plain)
    assert max(late_ms) < plain_stream.LATE_MS, late_ms


@contextmanager
def requested(url: str) -> Iterator[Iterator[bytes]]:
    """The lines of a few events, unpacked by requests, which asks for gzip by itself."""
    with requests.get(url, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        yield few_events(answer.iter_lines())


@contextmanager
def curled(url: str) -> Iterator[Iterator[bytes]]:
    """The lines of a few events, unpacked by curl."""
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl on PATH")
    command = [curl, "--silent", "--no-buffer", "--compressed", "--dump-header", "-", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            lines = (line.rstrip() for line in process.stdout)
            assert any(line.lower() == b"content-encoding: gzip" for line in iter(lambda: next(lines), b""))
            yield few_events(lines)
        finally:
            process.kill()


def few_events(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Up to the fifth id."""
    count = 0
    for line in lines:
        yield line
        count += line.startswith(b"id: ")
        if count == 5:
            return


def test_the_figures_are_those_of_a_query_of_ones_own(shared_web: WebService) -> None:
    def agrees() -> bool:
        data = shared_web.stats()
        own = sqlite(shared_web.database, "SELECT max(number), count(*) FROM message")
        return [(data["highest_number"], data["stored_total"])] == own and data[
            "average_transmission_ms"
        ] == 3.0

    until(agrees, what="the figures are not those of the database")


def test_ids_rise_over_a_restart_and_a_stop_is_quick_with_streams_open(web: WebService) -> None:
    stream = web.events()
    before = next(stream)
    watch = Stopwatch()
    assert web.stop() == 0
    assert watch.seconds < STOPPED_S
    list(stream)  # the stream was ended properly, not cut off
    web.start()
    assert int(next(web.events())["id"]) > int(before["id"])


def test_a_client_that_comes_back_gets_what_it_missed(shared_web: WebService) -> None:
    first, *others = collect(shared_web.events(), 4)
    again = collect(shared_web.events(last_id=first["id"]), 3)
    assert [event["id"] for event in again] == [event["id"] for event in others]
    assert [event["data"] for event in again] == [event["data"] for event in others]


def test_a_database_that_goes_away_is_told_and_the_figures_are_right_again(web: WebService) -> None:
    known = web.stats()["highest_number"]
    web.data.rename(web.directory / "away")
    data = awaited(web.stats, lambda stats: stats["error"] is not None, NOTICED_S, "nobody noticed")
    assert data["error"].startswith("The database can't be read: ")
    assert data["highest_number"] >= known
    assert data["average_transmission_ms"] is data["window_count"] is data["p50_ms"] is None
    assert web.get("/readyz")[0] == 503
    (web.directory / "away").rename(web.data)
    until(lambda: web.stats()["error"] is None, NOTICED_S, "not right again")
    until(lambda: web.stats()["highest_number"] > known, what="the numbers do not move")
    until(web.ready, what="it is not ready again")


@pytest.mark.influx
def test_an_influxdb_that_hangs_is_told_and_the_figures_are_right_again(
    tmp_path: Path, shared_redis: RedisServer, influx_server: InfluxServer
) -> None:
    influx = influx_server.new_bucket()
    web = WebService(
        tmp_path,
        shared_redis.url,
        FIZZBUZZ_STORE="influxdb",
        INFLUXDB_URL=influx.url,
        INFLUXDB_TOKEN=influx.token,
        INFLUXDB_ORG=influx.org,
        INFLUXDB_BUCKET=influx.bucket,
    )
    store = InfluxStore(influx)
    until(lambda: written(store, range(10)))
    web.start()
    until(lambda: web.stats()["highest_number"] == 9, what="the figures are not those of the database")
    influx_server.freeze()
    try:
        until(lambda: web.stats()["error"] is not None, NOTICED_S, "nobody noticed")
        assert max(gaps_s(web.events(), 4)) < 1.8
        assert (web.stats()["highest_number"], web.stats()["window_count"]) == (9, None)
    finally:
        influx_server.thaw()
    until(lambda: written(store, range(10, 20)))
    awaited(
        web.stats, lambda one: (one["highest_number"], one["error"]) == (19, None), what="not right again"
    )
    web.stop()


def written(store: InfluxStore, numbers: range) -> bool:
    """As a worker: again, where a busy server was too late."""
    with suppress(StoreUnavailable):
        store.write([batch(numbers, at_ns=time.time_ns())])
        return True
    return False


def test_while_redis_is_away_everything_else_goes_on(web: WebService, own_redis: RedisServer) -> None:
    own_redis.kill()
    until(lambda: web.stats()["queue_depth"] is None, NOTICED_S, "nobody noticed")
    known = web.stats()["highest_number"]
    until(lambda: web.stats()["error"] is None, NOTICED_S, "the database is not read")
    until(lambda: web.stats()["highest_number"] > known, NOTICED_S, "the numbers do not move")
    own_redis.start()
    until(lambda: web.stats()["queue_depth"] == 0, NOTICED_S, "not right again")


def test_a_frozen_redis_holds_nothing_up(web: WebService, own_redis: RedisServer) -> None:
    own_redis.freeze()
    assert max(gaps_s(web.events(), 6)) < 1.8
    assert web.stats()["queue_depth"] is None


def test_a_restart_of_a_service_is_on_the_detailed_stream(web: WebService, own_redis: RedisServer) -> None:
    redis = own_redis.client()
    StateReporter(redis, "worker-1").report(("ok", "", None))
    until(lambda: "worker-1 started" in web.logged_events(), what="the start is not logged")
    StateReporter(redis, "worker-1").report(("ok", "", None))
    until(lambda: "worker-1 restarted" in web.logged_events(), what="the restart is not logged")


def test_a_taken_port_is_one_clear_line_and_exit_status_1(shared_web: WebService) -> None:
    second = WebService(shared_web.directory, "redis://127.0.0.1:1", FIZZBUZZ_WEB_PORT=str(shared_web.port))
    before = len(shared_web.log())
    second.begin()
    assert second.process
    assert second.process.wait() == 1
    lines = shared_web.log()[before:].splitlines()
    assert len(lines) == 1
    assert "address already in use" in json.loads(lines[0])["message"]


def test_a_client_in_another_language_follows_the_stream_through_a_restart(web: WebService) -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("node, the other language of this test, is not on PATH")
    script = PROJECT / "tests" / "support" / "follow.mjs"
    with subprocess.Popen([node, str(script), f"{web.url}stream"], stdout=subprocess.PIPE) as client:
        try:
            assert client.stdout
            ids = [int(client.stdout.readline()) for _ in range(3)]
            web.stop()
            web.start()
            ids += [int(client.stdout.readline()) for _ in range(3)]
        finally:
            client.kill()
    assert ids == sorted(set(ids))


def test_a_stream_that_nobody_reads_costs_the_others_nothing(shared_web: WebService) -> None:
    silent = [shared_web.events(path="/fizzbuzz/stream?detail=1") for _ in range(50)]
    for stream in silent:
        next(stream)
    assert max(gaps_s(shared_web.events(), 4)[1:]) < 1.9  # none is left out


def test_more_streams_than_there_are_files_for_are_refused_and_the_page_is_still_served(
    tmp_path: Path, shared_redis: RedisServer
) -> None:
    web = WebService(tmp_path, shared_redis.url)
    web.files = SPARE_FILES + 20
    web.start()
    streams = [web.events() for _ in range(20)]
    for stream in streams:
        next(stream)
    assert web.get("/fizzbuzz/stream")[0] == 503
    assert web.get("/fizzbuzz/")[0] == 200
    assert b"fizzbuzz_web_refused_streams_total 1.0" in web.get("/metrics")[1]
    streams.pop().close()
    until(
        lambda: b"fizzbuzz_web_streams 19.0" in web.get("/metrics")[1],
        what="a stream that ended still counts",
    )
    next(web.events())
    web.stop()


def test_a_client_that_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    port = free_port()
    with endless(port, tmp_path / "log") as written:
        with connected(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert written.readline() == b"closed\n"
            with pytest.raises(ConnectionResetError):
                read_to_the_end(client)
        assert "Traceback" not in (tmp_path / "log").read_text()


def read_to_the_end(client: socket.socket) -> None:
    while client.recv(1 << 20):
        pass


def connected(port: int) -> socket.socket:
    """A connection to a server that is about to listen."""
    found: list[socket.socket] = []

    def connect() -> bool:
        try:
            found.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        except OSError:
            return False
        return True

    until(connect, what="nobody listens")
    return found[0]


def test_a_page_from_elsewhere_can_not_read_by_dns_rebinding(shared_web: WebService) -> None:
    for path in ("/fizzbuzz/stats", "/fizzbuzz/stream", "/metrics"):
        assert shared_web.get(path, Host=f"evil.example:{shared_web.port}")[0] == 421
        assert shared_web.get(path, Host="")[0] == 421


def test_a_password_in_the_address_of_influxdb_is_not_shown(
    tmp_path: Path, shared_redis: RedisServer
) -> None:
    web = WebService(
        tmp_path,
        shared_redis.url,
        FIZZBUZZ_STORE="influxdb",
        INFLUXDB_URL=f"http://user:geheim@127.0.0.1:{free_port()}",
        INFLUXDB_TOKEN="token",
    )
    web.begin()
    until(lambda: answers(web) and web.stats()["error"] is not None, what="no error is shown")
    shown = [web.get(path)[1] for path in ("/fizzbuzz/stats", "/fizzbuzz/", "/readyz")]
    web.stop()
    for text in (*shown, web.log().encode()):
        assert b"geheim" not in text
    assert all(b"127.0.0.1" in text for text in (shown[0], shown[2]))


def answers(web: WebService) -> bool:
    try:
        return web.get("/healthz")[0] == 200
    except OSError:
        return False


def sqlite(path: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()
