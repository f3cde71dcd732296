"""HAProxy with the settings that Docker mode has, in front of a stand-in for gateway and page."""

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.child_process import PROJECT, ChildProcess
from tests.support.faulty_gateway import FaultyGateway
from tests.support.gateway_process import GOOD
from tests.support.many_files import many_files
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch, until

CONFIGURATION = PROJECT / "deploy" / "proxy" / "haproxy.cfg"
HEAD = b"POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
AT_ONCE_S = 2.0
PATIENCE_S = 60.0


class Proxy:
    """HAProxy on ports of its own, which forwards gateway and page to ``behind``."""

    def __init__(self, directory: Path, behind: FaultyGateway) -> None:
        self.ports = {front: free_port() for front in ("8000", "5000", "8086", "8404")}
        self._file = directory / "haproxy.cfg"
        self._file.write_text(self._adapted(CONFIGURATION.read_text(), behind.port))
        command = ["haproxy", "-db", "-f", str(self._file)]
        self._process = ChildProcess(command, directory / "haproxy.log")

    @property
    def gateway(self) -> int:
        return self.ports["8000"]

    @property
    def page(self) -> int:
        return self.ports["5000"]

    def start(self) -> None:
        self._process.start()
        until(lambda: self.answers(self.gateway) and self.answers(self.page), 10)

    def stop(self) -> None:
        self._process.end()

    def answers(self, port: int) -> bool:
        """Whether a client of 127.0.0.1 is answered at once."""
        watch = Stopwatch()
        try:
            status = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S).status_code
        except requests.RequestException:
            return False
        return status == 200 and watch.seconds < AT_ONCE_S

    def _adapted(self, text: str, behind: int) -> str:
        """The same without Docker's names."""
        text = re.sub(r"server-template (\w+) \d+ \S+", rf"server \1 127.0.0.1:{behind}", text)
        text = text.replace(" resolvers docker resolve-prefer ipv4", "").replace(" init-addr none", "")
        for front, port in self.ports.items():
            text = text.replace(f"bind :{front}", f"bind 127.0.0.1:{port}").replace(
                f":{front}\n", f":{port}\n"
            )
        return text


@pytest.fixture
def behind() -> Iterator[FaultyGateway]:
    server = FaultyGateway()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(tmp_path: Path, behind: FaultyGateway) -> Iterator[Proxy]:
    if not shutil.which("haproxy"):
        pytest.skip("no haproxy on PATH")
    proxy = Proxy(tmp_path, behind)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """Where a test keeps what it opens; it may open thousands."""
    with many_files(), ExitStack() as opened:
        yield opened


def connect(opened: ExitStack, port: int, count: int, source: str, sends: bytes = b"") -> list[socket.socket]:
    clients = []
    for _ in range(count):
        try:
            client = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(source, 0))
        except ConnectionResetError:  # more than an address may have
            continue
        clients.append(opened.enter_context(client))
        if sends:
            client.sendall(sends)
    return clients


def received(client: socket.socket, within_s: float) -> bytes:
    client.settimeout(within_s)
    pieces = []
    while piece := client.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def test_a_message_comes_through_with_the_address_that_it_is_from(
    proxy: Proxy, behind: FaultyGateway
) -> None:
    url = f"http://127.0.0.1:{proxy.gateway}/messages"
    answer = requests.post(url, json=GOOD, headers={"X-Forwarded-For": "192.0.2.7"}, timeout=5)
    assert answer.status_code == 202
    addresses = [
        value for name, value in behind.received[0].headers.items() if name.lower() == "x-forwarded-for"
    ]
    assert addresses == ["127.0.0.1"]


def test_http_2_is_not_spoken(proxy: Proxy, connections: ExitStack) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
    for port in (proxy.gateway, proxy.page):
        (client,) = connect(connections, port, 1, "127.0.0.1", preface)
        assert received(client, 8)[3:4] != b"\x04"


def test_slow_bodies_never_reach_the_gateway(
    proxy: Proxy, behind: FaultyGateway, connections: ExitStack
) -> None:
    slow = connect(connections, proxy.gateway, 300, "127.0.0.2", HEAD + b"Content-Length: 100\r\n\r\n{")
    assert proxy.answers(proxy.gateway)
    watch = Stopwatch()
    assert {received(client, 30)[:12] for client in slow} == {b"HTTP/1.1 408"}
    assert watch.seconds < 10
    assert behind.received == []


def test_one_address_that_fills_the_gateways_front_leaves_another_served(
    proxy: Proxy, connections: ExitStack
) -> None:
    connect(connections, proxy.gateway, 5_000, "127.0.0.2")
    assert proxy.answers(proxy.gateway)


def test_viewers_who_fill_the_pages_front_leave_the_gateway_served(
    proxy: Proxy, connections: ExitStack
) -> None:
    for source in ("127.0.0.2", "127.0.0.3"):
        connect(connections, proxy.page, 4_500, source)
    assert proxy.answers(proxy.gateway)
