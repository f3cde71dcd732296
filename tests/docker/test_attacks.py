"""What shuts others out, or speaks for them, tried on the published ports of the whole system in containers.

``gateway/test_border.py``, ``gateway/test_api.py`` and ``system/test_stream.py`` try it without containers.
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.support.compose_site import Site, inspect
from tests.support.many_files import many_files
from tests.support.waiting import MOST, Stopwatch

AT_ONCE_S = 2.0
"""Generous for a busy machine; what shuts out lasts for many seconds."""
FRONTS = ("FIZZBUZZ_GATEWAY_PORT", "FIZZBUZZ_WEB_PORT")
HEAD = b"POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)

_FLOOD = """
import socket, sys, time, urllib.request

host, port, count = sys.argv[1:]

def is_served():
    try:
        return urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=2).status == 200
    except OSError:
        return False

clients = []
for _ in range(int(count)):
    try:
        clients.append(socket.create_connection((host, int(port)), 5))
    except ConnectionError:  # one too many
        continue
print(is_served(), flush=True)
sys.stdin.readline()
for client in clients:
    client.close()
until_s = time.monotonic() + 60
while not (again := is_served()) and time.monotonic() < until_s:
    time.sleep(0.2)
print(again, flush=True)
"""


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Where a test keeps its connections; it may open thousands."""
    with many_files(), ExitStack() as stack:
        yield stack


def url(site: Site, front: str = FRONTS[0], path: str = "/messages") -> str:
    return f"http://127.0.0.1:{site.settings[front]}{path}"


def connect(stack: ExitStack, site: Site, front: str, count: int, sends: bytes = b"") -> list[socket.socket]:
    """Connections that are open; those that are refused at once are left out."""
    clients = []
    for _ in range(count):
        try:
            client = socket.create_connection(("127.0.0.1", int(site.settings[front])), 30)
            clients.append(stack.enter_context(client))
            if sends:
                client.sendall(sends)
        except ConnectionError:
            continue
    return clients


def received(client: socket.socket, within_s: float) -> bytes:
    """What comes until the other side closes."""
    client.settimeout(within_s)
    pieces = []
    try:
        while piece := client.recv(65_536):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces)


def answers_at_once(site: Site, front: str = FRONTS[0]) -> bool:
    watch = Stopwatch()
    try:
        answer = requests.get(url(site, front, "/healthz"), timeout=MOST * AT_ONCE_S)
    except requests.RequestException:
        return False
    return answer.status_code == 200 and watch.seconds < AT_ONCE_S


def post(site: Site, run: str, number: int, **headers: str) -> int:
    message = {"run": run, "number": number, "sent_at": "2026-01-01T00:00:00Z"}
    return requests.post(url(site), json=message, headers=headers, timeout=30).status_code


@pytest.mark.parametrize("front", FRONTS)
def test_http_2_is_not_spoken(site: Site, opened: ExitStack, front: str) -> None:
    (client,) = connect(opened, site, front, 1, PREFACE)
    assert received(client, 8)[3:4] != b"\x04"


def test_slow_bodies_stop_nothing_and_are_answered_408(site: Site, opened: ExitStack) -> None:
    slow = connect(opened, site, FRONTS[0], 300, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert len(slow) == 300
    assert answers_at_once(site)
    assert post(site, "slow-bodies", 1) == 202
    found = [received(client, 30) for client in slow]
    assert {answer[:12] for answer in found} == {b"HTTP/1.1 408"}
    assert all(b"content-type: application/problem+json\r\n" in answer.lower() for answer in found)


def test_5000_idle_connections_of_one_address_leave_another_one_served(site: Site) -> None:
    """From a container: what forwards this machine's ports ends when it runs out of descriptors."""
    (proxy,) = inspect(site.containers("proxy")[0].id)
    network = f"{site.project.name}_outside"
    address = proxy["NetworkSettings"]["Networks"][network]["IPAddress"]
    image = inspect(site.containers("gateway")[0].id)[0]["Image"]
    options = ["--rm", "--interactive", "--ulimit", "nofile=8000", "--network", network]
    command = ["docker", "run", *options, image, "python", "-c", _FLOOD, address, "8000", "5000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdin
        assert flood.stdout
        assert flood.stdout.readline() == "False\n", "its own address is served with all its connections open"
        assert answers_at_once(site)
        assert answers_at_once(site, FRONTS[1])
        flood.stdin.write("\n")
        flood.stdin.flush()
        assert flood.stdout.readline() == "True\n", "it is not served again"


def test_a_stream_that_nobody_reads_costs_the_others_nothing(site: Site, opened: ExitStack) -> None:
    request = b"GET /fizzbuzz/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connect(opened, site, FRONTS[1], 300, request)
    assert answers_at_once(site, FRONTS[1])
    watch = Stopwatch()
    with requests.get(url(site, FRONTS[1], "/fizzbuzz/stream"), stream=True, timeout=30) as stream:
        assert next(stream.iter_lines())
    assert watch.seconds < AT_ONCE_S


@pytest.mark.parametrize(("front", "path"), [(FRONTS[0], "/healthz"), (FRONTS[1], "/fizzbuzz/stats")])
def test_dns_rebinding_reads_nothing(site: Site, front: str, path: str) -> None:
    answer = requests.get(url(site, front, path), headers={"Host": "evil.example"}, timeout=30)
    assert answer.status_code == 421


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_site_can_not_send(site: Site, headers: dict[str, str]) -> None:
    assert post(site, "rebound", 1, **headers) == 403


def test_a_run_belongs_to_whoever_began_it(site: Site) -> None:
    key = {"Run-Key": "0123456789abcdef-attack"}
    assert post(site, "owned", 1, **key) == 202
    assert post(site, "owned", 2) == 409
    assert post(site, "owned", 2, **{"Run-Key": "another-key-0123456789"}) == 409
    assert post(site, "owned", 2, **key) == 202


def test_a_secret_is_replaced_without_root(site: Site) -> None:
    for token in ("another-token-of-the-api", ""):
        site.project.store_secrets({"api_token": token})
        assert site.run_in("gateway", "cat", "/secrets/api/api_token").stdout == token


def test_one_sender_can_not_begin_runs_without_end(site: Site) -> None:
    answers = [_begin_runs(site, f"many-{half}", 600) for half in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def _begin_runs(site: Site, name: str, count: int) -> requests.Response:
    sent_at = "2026-01-01T00:00:00Z"
    messages = [{"run": f"{name}-{n}", "number": 0, "sent_at": sent_at} for n in range(count)]
    return requests.post(url(site), json=messages, timeout=30)
