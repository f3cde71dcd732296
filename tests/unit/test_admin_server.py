"""What operators read of a service can't be shut out, and costs the service a bounded number of threads."""

import http.client
import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Gauge

from launcher.configuration import CHECKOUT, without_settings
from pipeline import admin_server, request_heads
from pipeline.settings import read
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch, until

PATIENCE_S = 120.0
"""A connection that waits for a thread, on a machine that does much else, waits for several deadlines."""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(admin_server, "CONNECTION_S", 1.0)
    settings = read({"FIZZBUZZ_RUN_DIR": str(tmp_path), "FIZZBUZZ_PART": "x"})
    server = admin_server.serve_or_exit(settings, lambda: True)
    yield server.server_port
    server.shutdown()
    server.server_close()


class OneByteClients:
    """Clients that each send one byte, and come again as soon as their connection is ended."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._have_come, self._stops = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._have_come.wait(PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        self._stops.set()
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for _ in range(self._count):
                self._add(selector)
            self._have_come.set()
            while not self._stops.is_set():
                for key, _ in selector.select(0.05):
                    selector.unregister(key.fileobj)
                    key.data.close()
                    self._add(selector)
            for key in list(selector.get_map().values()):
                key.data.close()

    def _add(self, selector: selectors.BaseSelector) -> None:
        client = socket.create_connection(("127.0.0.1", self._port))
        with suppress(OSError):  # it may be ended already
            client.sendall(b"G")
        selector.register(client, selectors.EVENT_READ, client)


def get(port: int, path: str = "/healthz", host: str = "localhost") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def connect(stack: ExitStack, port: int) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port)))


def test_its_address_is_where_others_expect_it(port: int, tmp_path: Path) -> None:
    assert (tmp_path / "x.address").read_text() == f"127.0.0.1:{port}\n"


def test_idle_connections_cost_few_threads_and_are_ended(port: int) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        idle = [connect(stack, port) for _ in range(admin_server.MAX_CONNECTIONS - 20)]
        watch = Stopwatch()
        assert get(port) == 200
        assert watch.seconds < admin_server.CONNECTION_S
        assert threading.active_count() - before <= admin_server.THREADS
        for one in idle:
            one.settimeout(PATIENCE_S)
            assert _is_ended(one)


def test_more_connections_than_it_holds_are_closed_at_once_and_it_serves_again(port: int) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(3 * admin_server.MAX_CONNECTIONS):
            connect(stack, port)
        assert threading.active_count() - before <= admin_server.THREADS
        until(lambda: _answers(port), 6 * admin_server.CONNECTION_S, "it does not serve again")


def test_a_client_that_sends_a_byte_now_and_then_is_ended(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as slow:
        until(lambda: not _can_send(slow), 6 * admin_server.CONNECTION_S, "it is not ended")
    assert get(port) == 200


@pytest.mark.parametrize("count", [40, 2 * admin_server.MAX_CONNECTIONS])
def test_clients_that_send_one_byte_and_come_again_keep_no_probe_waiting(port: int, count: int) -> None:
    with OneByteClients(port, count):
        for _ in range(5):
            watch = Stopwatch()
            assert get(port) == 200
            assert watch.seconds < 1.0


def test_clients_that_ask_for_the_metrics_and_read_nothing_keep_no_probe_waiting(
    port: int,
) -> None:
    gauge = Gauge("large", "80 kB", ["label"])
    for number in range(800):
        gauge.labels(f"{number:080d}")
    with ExitStack() as stack:
        stack.callback(REGISTRY.unregister, gauge)
        for _ in range(2 * admin_server.MAX_CONNECTIONS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(3):
            watch = Stopwatch()
            assert get(port) == 200
            assert watch.seconds < 1.0


def test_a_request_may_come_in_parts_and_its_lines_may_end_without_a_carriage_return(port: int) -> None:
    for parts in (
        [b"GET /healthz HTTP/1.1\r", b"\nHost: localhost\r\n\r", b"\n"],
        [b"GET /healthz HTTP/1.0\n\n"],
    ):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                client.sendall(part)
                time.sleep(0.05)
            with client.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\nok\n")


def test_a_head_without_an_end_is_ended(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
        client.sendall(b"G" * (request_heads.LARGEST + 1))
        assert _is_ended(client)


def test_a_probe_that_hangs_up_leaves_nothing_in_the_log(
    port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as probe:
            probe.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert get(port, "/metrics") == 200
    assert not caplog.records
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1:9", 200), ("localhost", 200), ("evil.example", 421)]
)
def test_on_the_loopback_an_unknown_host_is_refused(port: int, host: str, status: int) -> None:
    assert get(port, "/metrics", host) == status


@pytest.mark.parametrize("service", ["producer", "consumer", "worker"])
def test_a_taken_metrics_port_is_one_clear_line(service: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {
            "FIZZBUZZ_METRICS_PORT": str(port),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            "FIZZBUZZ_SQLITE_PATH": str(tmp_path / "messages.db"),
            "FIZZBUZZ_PART": service,
        }
        done = subprocess.run(
            [sys.executable, "-m", service],
            cwd=CHECKOUT,
            env={**without_settings(os.environ), **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"] == (
        f"can't serve metrics on 127.0.0.1:{port}: address already in use;"
        " FIZZBUZZ_METRICS_BIND and FIZZBUZZ_METRICS_PORT choose another"
    )


def test_requests_that_wait_at_the_end_are_closed(tmp_path: Path) -> None:
    """Not left to the garbage collector, which complains."""
    asked, goes_on = threading.Event(), threading.Event()

    def ready() -> bool:
        asked.set()
        return goes_on.wait(PATIENCE_S)

    settings = read({"FIZZBUZZ_RUN_DIR": str(tmp_path), "FIZZBUZZ_PART": "x"})
    server = admin_server.serve_or_exit(settings, ready)
    with ExitStack() as clients:
        first, *others = (
            clients.enter_context(socket.create_connection(("127.0.0.1", server.server_port)))
            for _ in range(4)
        )
        for connection in (first, *others):
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert asked.wait(PATIENCE_S)
        time.sleep(0.2)  # the server has read all four: nothing shows that from outside
        server.shutdown()
        server.server_close()
        assert all(_is_ended(connection) for connection in others)
        goes_on.set()
        assert first.recv(12) == b"HTTP/1.0 200"


def _is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def _answers(port: int) -> bool:
    try:
        return get(port) == 200
    except (OSError, http.client.HTTPException):
        return False


def _can_send(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"G")
    except OSError:
        return False
    return True
