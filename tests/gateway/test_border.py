"""Nobody shuts others out: a slow, idle or broken client costs the gateway next to nothing."""

import json
import re
import signal
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.request_body import MAX_BODY, MAX_HELD, SMALL
from pipeline.queue import client as queue
from tests.support.gateway_process import GOOD, Gateway
from tests.support.many_files import many_files
from tests.support.ports import listens
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, until

HEAD = b"POST /messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS_FRAME = 4

AT_ONCE_S = 2.0
"""By a stopwatch: on a busy machine who comes last, behind thousands, waits longer. What shuts out lasts for
many seconds."""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def gateway(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), shared_redis.url)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(autouse=True)
def room_for_connections() -> Iterator[None]:
    """This process opens thousands of connections."""
    with many_files():
        yield


class Clients:
    """Connections that stay open until the test ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = ExitStack()

    def connect(self, count: int, sends: bytes = b"", source: str = "127.0.0.1") -> list[socket.socket]:
        clients = []
        for _ in range(count):
            client = socket.create_connection(
                ("127.0.0.1", self._port), PATIENCE_S, source_address=(source, 0)
            )
            self._open.enter_context(client)
            if sends:
                client.sendall(sends)
            clients.append(client)
        return clients

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def clients(gateway: Gateway) -> Iterator[Clients]:
    clients = Clients(gateway.port)
    yield clients
    clients.close()


def answers_at_once(gateway: Gateway, path: str = "/healthz") -> bool:
    watch = Stopwatch()
    return gateway.get(path, PATIENCE_S) == 200 and watch.seconds < AT_ONCE_S


def accepts_at_once(gateway: Gateway, number: int) -> bool:
    watch = Stopwatch()
    return gateway.post(number, PATIENCE_S).status == 202 and watch.seconds < AT_ONCE_S


def received(client: socket.socket, within_s: float) -> bytes:
    """What comes until the other side closes, which it does in time."""
    watch = Stopwatch()
    client.settimeout(PATIENCE_S)
    pieces = []
    while piece := client.recv(65_536):
        pieces.append(piece)
    assert watch.seconds < within_s
    return b"".join(pieces)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def post_without_end(stream: int) -> bytes:
    """HEADERS of a POST whose body never comes; its fields by RFC 7541, section 6."""
    path, authority = b"/messages", b"localhost"
    block = b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x01" + bytes([len(authority)]) + authority
    return frame(1, 0x04, stream, block)


def test_an_error_in_reply_to_head_has_no_body(clients: Clients) -> None:
    heads = (b"HEAD http://[::1/ HTTP/1.1", b"GET /healthz HTTP/1.1")
    asked = b"".join(head + b"\r\nHost: localhost\r\n\r\n" for head in heads)
    (client,) = clients.connect(1, asked)
    received = b""
    while received.count(b"\r\n\r\n") < 2:
        received += client.recv(4096)
    first, _, second = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400 ")
    assert second.startswith(b"HTTP/1.1 200 ")


def test_http_2_is_not_spoken(gateway: Gateway, clients: Clients) -> None:
    (client,) = clients.connect(1, PREFACE + frame(SETTINGS_FRAME, 0, 0, b""))
    answer = received(client, 5)
    assert answer[3:4] != bytes([SETTINGS_FRAME])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_unfinished_streams_of_http_2_stop_nothing(gateway: Gateway, clients: Clients) -> None:
    heads = b"".join(post_without_end(stream) for stream in range(1, 200, 2))
    clients.connect(1, PREFACE + frame(SETTINGS_FRAME, 0, 0, b"") + heads)
    assert answers_at_once(gateway)
    assert accepts_at_once(gateway, 1)


def test_slow_bodies_stop_nothing_and_are_answered_408(gateway: Gateway, clients: Clients) -> None:
    slow = clients.connect(300, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert answers_at_once(gateway)
    assert accepts_at_once(gateway, 2)
    answers = [received(client, 8) for client in slow]
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"application/problem+json" in answer for answer in answers)


def test_a_body_that_drips_is_cut_off_in_time(gateway: Gateway, clients: Clients) -> None:
    (client,) = clients.connect(1, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    watch = Stopwatch()
    answer = b""
    while not answer and watch.seconds < 8:
        client.sendall(b"1\r\n \r\n")
        client.settimeout(0.2)
        try:
            answer = client.recv(65_536)
        except TimeoutError:
            continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_slow_bodies_and_idle_connections_together_stop_nothing(gateway: Gateway, clients: Clients) -> None:
    clients.connect(3_000)
    clients.connect(300, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert answers_at_once(gateway)
    assert accepts_at_once(gateway, 3)


def test_5000_idle_connections_of_one_address_leave_another_one_served(
    gateway: Gateway, clients: Clients
) -> None:
    clients.connect(5_000, source="127.0.0.2")
    assert answers_at_once(gateway)
    assert accepts_at_once(gateway, 4)


def test_a_head_that_does_not_end_is_cut_off(gateway: Gateway, clients: Clients) -> None:
    (slow,) = clients.connect(1, b"POST /messages HTTP/1.1\r\nHost: localhost\r\nX-")
    received(slow, 25)


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_too_large_a_body_is_413_whether_its_length_is_declared_or_not(
    gateway: Gateway, clients: Clients, size: int
) -> None:
    piece = b"x" * size
    declared = HEAD + f"Content-Length: {size}\r\n\r\n".encode() + piece
    undeclared = (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + f"{size:x}\r\n".encode() + piece + b"\r\n0\r\n\r\n"
    )
    for request in (declared, undeclared):
        (client,) = clients.connect(1, request)
        assert received(client, 8).startswith(b"HTTP/1.1 413")


def test_stalled_bodies_that_fill_the_memory_leave_larger_requests_served(
    gateway: Gateway, clients: Clients
) -> None:
    stalled = HEAD + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b" " * (MAX_BODY - 1)
    clients.connect(MAX_HELD // MAX_BODY, stalled)
    large = json.dumps(GOOD | {"number": 5}).encode() + b" " * 20_000
    assert len(large) > SMALL
    headers = {"Content-Type": "application/json"}
    watch = Stopwatch()
    while watch.seconds < 1:  # the gateway still reads what the stalled ones have sent
        assert gateway.ask("POST", "/messages", large, headers, PATIENCE_S).status == 202


def test_an_enormous_body_is_413_at_once(gateway: Gateway, clients: Clients) -> None:
    (client,) = clients.connect(1, HEAD + b"Content-Length: 999999999999\r\n\r\n")
    assert received(client, AT_ONCE_S).startswith(b"HTTP/1.1 413")


def test_a_chunked_body_is_read(gateway: Gateway, clients: Clients) -> None:
    body = json.dumps(GOOD).encode()
    chunks = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in (body[:9], body[9:]))
    (client,) = clients.connect(1, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert client.recv(65_536).startswith(b"HTTP/1.1 202")


def test_connections_that_are_reset_at_once_leave_nothing_in_the_log(gateway: Gateway) -> None:
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_S) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert accepts_at_once(gateway, 3)
    assert [line for line in gateway.gateway.log() if line["level"] == "error"] == []


@pytest.mark.parametrize("size", [1, 100_000])
def test_who_asks_for_another_protocol_is_answered_as_any_other(
    gateway: Gateway, clients: Clients, size: int
) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    body = json.dumps(GOOD | {"number": 78}).encode()
    post = HEAD + upgrade + b"Content-Length: %d\r\n\r\n" % len(body) + body
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n"
    (client,) = clients.connect(1)
    client.settimeout(5)
    for request, status in ((post, b"202"), (get, b"200"), (post, b"202")):
        for start in range(0, len(request), size):
            client.sendall(request[start : start + size])
        answer = client.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"\r\nConnection: keep-alive\r\n" in answer


def test_each_response_at_messages_is_counted_once_and_no_other(gateway: Gateway, clients: Clients) -> None:
    body = json.dumps(GOOD | {"number": 79}).encode()
    post = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    requests = {
        "202": post,
        "400": post.replace(b"/messages", b"http://[::1/messages"),
        "403": post.replace(b"\r\n", b"\r\nOrigin: http://elsewhere.example\r\n", 1),
        "405": b"GET /messages HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "421": post.replace(b"localhost", b"elsewhere.example"),
    }
    before = responses_counted(clients)
    for status, request in requests.items():
        (client,) = clients.connect(1, request)
        client.settimeout(5)
        assert client.recv(65_536).startswith(b"HTTP/1.1 " + status.encode())
    assert gateway.get("/healthz") == 200
    assert gateway.get("/nowhere") == 404
    assert responses_counted(clients) - before == Counter(requests.keys())


def responses_counted(clients: Clients) -> Counter[str]:
    (client,) = clients.connect(1, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    text = received(client, 5).decode()
    found = re.findall(r'fizzbuzz_gateway_requests_total{status="(\d+)"} ([0-9.]+)', text)
    return Counter({status: int(float(count)) for status, count in found})


def test_a_body_that_breaks_off_accepts_nothing(gateway: Gateway, clients: Clients) -> None:
    body = json.dumps([GOOD | {"number": 1_000_000}]).encode()
    broken = f"{len(body):x}\r\n".encode() + body + b"\r\nnonsense\r\n"
    (client,) = clients.connect(1, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + broken)
    client.shutdown(socket.SHUT_WR)
    assert b" 202 " not in received(client, 5)


def test_who_waits_for_100_continue_gets_it(gateway: Gateway, clients: Clients) -> None:
    body = json.dumps(GOOD).encode()
    (client,) = clients.connect(
        1, HEAD + f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    assert client.recv(65_536).startswith(b"HTTP/1.1 100")
    client.sendall(body)
    assert client.recv(65_536).startswith(b"HTTP/1.1 202")


def test_a_key_that_is_not_ascii_is_not_mistaken_for_none(gateway: Gateway, clients: Clients) -> None:
    body = json.dumps(GOOD | {"number": 77}).encode()
    head = HEAD + b"Run-Key: " + b"\xe9" * 20 + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    (client,) = clients.connect(1, head + body)
    assert client.recv(65_536).startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/metrics", "/nowhere", "/messages"])
def test_no_answer_is_kept_or_guessed_at(gateway: Gateway, path: str) -> None:
    headers = gateway.ask("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/send.js", "/healthz"])
def test_a_response_has_one_date(gateway: Gateway, path: str) -> None:
    assert len(gateway.ask("GET", path).headers.get_all("Date", [])) == 1


def test_what_is_refused_before_the_application_is_entered_is_marked_too(
    gateway: Gateway, clients: Clients
) -> None:
    (client,) = clients.connect(1, HEAD + b"Content-Length: 999999999999\r\n\r\n")
    answer = received(client, 5).lower()
    assert b"x-content-type-options: nosniff" in answer
    assert b"cache-control: no-store" in answer


def test_a_head_request_has_the_length_and_no_body(gateway: Gateway) -> None:
    answer = gateway.ask("HEAD", "/healthz")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) > 0


def test_with_the_consumer_frozen_500_posts_are_all_answered_in_time(gateway: Gateway) -> None:
    gateway.consumer.freeze()

    def post(number: int) -> tuple[int, float, str | None]:
        watch = Stopwatch()
        answer = gateway.post(number, PATIENCE_S)
        return answer.status, watch.seconds, answer.headers["Retry-After"]

    try:
        with ThreadPoolExecutor(500) as pool:
            answers = list(pool.map(post, range(10_000, 10_500)))
        assert {status for status, _, _ in answers} <= {503, 504}
        assert max(took_s for _, took_s, _ in answers) < 6
        assert all(after for status, _, after in answers if status == 503)
        assert answers_at_once(gateway)
    finally:
        gateway.consumer.thaw()
    until(lambda: gateway.post(10_500).status == 202, 10)


def test_a_stop_answers_the_requests_that_are_under_way(own_redis: RedisServer, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, own_redis.patient_url)
    gateway.start()
    clients = Clients(gateway.port)
    try:
        own_redis.freeze()
        requests = [clients.connect(1, request(number))[0] for number in range(20)]
        assert gateway.get("/healthz") == 200  # behind them, so they have been read
        gateway.gateway.signal(signal.SIGTERM)
        until(lambda: not listens(gateway.port), what="it does not stop")
        own_redis.thaw()
        answers = [received(client, 10) for client in requests]
        assert gateway.gateway.wait(60) == 0
    finally:
        own_redis.thaw()
        clients.close()
        gateway.stop()
    assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 202 Accepted"] * 20
    assert queue.waiting(own_redis.client()) == 20


def request(number: int) -> bytes:
    """A whole POST, after whose answer the connection ends."""
    body = json.dumps(GOOD | {"number": number}).encode()
    return HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_a_stop_ends_in_time_with_slow_and_idle_clients(shared_redis: RedisServer, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, shared_redis.url)
    gateway.start()
    clients = Clients(gateway.port)
    try:
        clients.connect(50)
        clients.connect(50, HEAD + b"Content-Length: 100\r\n\r\n{")
        gateway.gateway.signal(signal.SIGTERM)
        watch = Stopwatch()
        assert gateway.gateway.wait(60) == 0
        assert watch.seconds < 10
    finally:
        clients.close()
        gateway.stop()
