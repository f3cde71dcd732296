"""The page by https, with a certificate that is renewed while streams are open."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import healthcheck
from launcher.local import liveness
from launcher.local.plan import ProcessPlan
from tests.support.certificates import Certificates
from tests.support.endless_page import endless
from tests.support.ports import free_port, listens
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, until
from tests.support.web_service import Feeder, WebService
from web.tls import HANDSHAKE_S

pytestmark = pytest.mark.system

AT_ONCE_S = 2.0


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


@pytest.fixture
def web(tmp_path: Path, shared_redis: RedisServer, made: Certificates) -> Iterator[WebService]:
    web = WebService(tmp_path, shared_redis.url, **made.https())
    web.tls = made.client()
    feeder = Feeder(web.database)
    try:
        feeder.start()
        web.start()
        yield web
    finally:
        feeder.stop()
        if web.process:
            web.process.end()


def next_id(stream: Iterator[dict[str, str]]) -> int:
    """That of the next stats event, the only ones that have one."""
    return next(int(event["id"]) for event in stream if "id" in event)


def test_page_and_streams_are_served_and_go_on_through_renewals(web: WebService, made: Certificates) -> None:
    assert web.get("/fizzbuzz/")[0] == 200
    streams = [web.events(path=f"/fizzbuzz/stream?detail={detail}") for detail in (0, 1)]
    seen = [next_id(stream) for stream in streams]
    for _ in range(2):
        made.make()
        until(lambda: made.shown(web.port) == made.der(), 15, "the renewed certificate is not shown")
        for index, stream in enumerate(streams):
            ids = [next_id(stream) for _ in range(3)]
            assert seen[index] < ids[0] < ids[1] < ids[2]
            seen[index] = ids[2]
        assert web.get("/fizzbuzz/stats")[0] == 200
    assert web.log().count("the certificate was renewed") == 2
    assert "Traceback" not in web.log()


def test_a_header_of_a_proxy_does_not_make_it_forget_that_a_connection_is_by_tls(web: WebService) -> None:
    stream = web.events(X_Forwarded_Proto="http")
    ids = [next_id(stream) for _ in range(4)]
    assert ids == sorted(set(ids))


def test_a_wrong_renewal_is_one_line_and_the_previous_certificate_stays(
    web: WebService, made: Certificates
) -> None:
    before = made.der()
    made.crt().unlink()
    until(lambda: "is not used" in web.log(), 15, "no line")
    time.sleep(2.5)
    (line,) = [line for line in web.log().splitlines() if '"error"' in line]
    assert f"FIZZBUZZ_TLS_CERT={made.crt()}: no such file or directory" in line
    assert made.shown(web.port) == before


def test_who_makes_no_handshake_is_disconnected_and_shuts_nobody_out(web: WebService) -> None:
    with contextlib.ExitStack() as open_:
        silent = [
            open_.enter_context(socket.create_connection(("127.0.0.1", web.port), 5)) for _ in range(100)
        ]
        plain = open_.enter_context(socket.create_connection(("127.0.0.1", web.port), 5))
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        watch = Stopwatch()
        assert web.get("/healthz")[0] == 200
        assert watch.seconds < AT_ONCE_S
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(1_000)
        for one in silent:
            one.settimeout(HANDSHAKE_S + 10)
            assert one.recv(10) == b""
    untrusting = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", web.port), 5) as raw, pytest.raises(ssl.SSLError):
        untrusting.wrap_socket(raw, server_hostname="127.0.0.1")
    assert web.get("/healthz")[0] == 200
    assert "Traceback" not in web.log()
    assert '"warning"' not in web.log()


def test_a_containers_health_check_asks_by_https(web: WebService, monkeypatch: pytest.MonkeyPatch) -> None:
    assert healthcheck.ask(web.port, "/readyz") is None
    monkeypatch.setenv("FIZZBUZZ_TLS_CERT", "any")
    assert healthcheck.ask(web.port, "/readyz") == (200, '{"status":"ready"}')


def test_the_watchdog_sees_that_it_answers_by_https(web: WebService, tmp_path: Path) -> None:
    for scheme, answers in (("https", True), ("http", False)):
        plan = ProcessPlan("web", (), {}, ready=f"{scheme}://127.0.0.1:{web.port}/readyz")
        assert liveness.service_answers(plan, tmp_path) is answers


def test_a_client_that_takes_nothing_is_cut_off(tmp_path: Path, made: Certificates) -> None:
    port = free_port()
    with endless(port, tmp_path / "log", **made.https()) as written:
        until(lambda: listens(port), what="nobody listens")
        with (
            socket.create_connection(("127.0.0.1", port), 30) as plain,
            made.client().wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert written.readline() == b"closed\n"
        assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("what", ["missing", "expired", "key"])
def test_it_does_not_start_with_a_wrong_one(
    tmp_path: Path, shared_redis: RedisServer, made: Certificates, what: str
) -> None:
    if what == "missing":
        made.key().unlink()
        line = f"web: FIZZBUZZ_TLS_KEY={made.key()}: no such file or directory"
    elif what == "expired":
        made.make(days=0)
        line = f"web: FIZZBUZZ_TLS_CERT={made.crt()}: it expired at 20"
    else:
        made.make("other")
        made.key("other").rename(made.key())
        line = f"web: FIZZBUZZ_TLS_KEY={made.key()}: it is not the key of FIZZBUZZ_TLS_CERT={made.crt()}"
    web = WebService(tmp_path, shared_redis.url, **made.https())
    web.begin()
    assert web.process
    assert web.process.refusal().startswith(line)
