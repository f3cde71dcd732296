"""The gateway by https and, to the consumer, by mutual TLS, with certificates that are renewed under load."""

import http.client
import itertools
import json
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from gateway.server import GOODBYE_S, HANDSHAKE_S
from tests.support.certificates import Certificates
from tests.support.gateway_process import GOOD, Gateway
from tests.support.ports import listens
from tests.support.processes import children_of
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, until

AT_ONCE_S = 2.0
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "certificates")
    made.make("grpc")
    return made


@pytest.fixture
def gateway(shared_redis: RedisServer, tmp_path: Path, made: Certificates) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, shared_redis.url, **made.https(), **made.grpc("grpc"))
    gateway.tls = made.client()
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


class Load:
    """Sends from two threads until it ends: one over one connection, one over a new one each time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._numbers = itertools.count()
        self.statuses: list[int] = []
        self.failed: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(stays,)) for stays in (True, False)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self, stays: bool) -> None:
        try:
            with closing(self._gateway.connect()) as connection:
                connection.connect()
                first = connection.sock
                while not self._ended.wait(0.01):
                    body = json.dumps(GOOD | {"run": "tls", "number": next(self._numbers)})
                    connection.request("POST", "/messages", body, JSON)
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses.append(answer.status)
                    if not stays:
                        connection.close()
                assert not stays or connection.sock is first
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.failed.append(error)


def lines(gateway: Gateway, level: str) -> list[str]:
    return [one["message"] for one in gateway.gateway.log() if one["level"] == level]


def renewals(gateway: Gateway) -> int:
    return lines(gateway, "info").count("the certificate was renewed")


def test_messages_are_accepted_by_https(gateway: Gateway) -> None:
    assert gateway.post(1).status == 202
    with closing(gateway.connect()) as connection:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        assert (
            f"curl https://127.0.0.1:{gateway.port}/messages"
            in json.load(connection.getresponse())["example"]
        )
        assert isinstance(connection.sock, ssl.SSLSocket)
        assert connection.sock.selected_alpn_protocol() == "http/1.1"
        assert connection.sock.version() in {"TLSv1.2", "TLSv1.3"}


def test_renewals_under_load_fail_no_request_and_close_no_connection(
    gateway: Gateway, made: Certificates
) -> None:
    with Load(gateway) as load:
        for _ in range(3):
            before = renewals(gateway)
            made.make()
            made.make("grpc")
            until(lambda: made.shown(gateway.port) == made.der(), 15, "the renewed certificate is not shown")
            until(lambda before=before: renewals(gateway) >= before + 2, 15, "two renewals")  # type: ignore[misc]
            sent = len(load.statuses)
            until(lambda sent=sent: len(load.statuses) > sent + 20, what="calls use it")  # type: ignore[misc]
    assert load.failed == []
    assert set(load.statuses) == {202}
    assert len(load.statuses) > 50
    late = "the renewed certificate is not used yet, no consumer accepts it: Deadline Exceeded"
    assert set(lines(gateway, "error")) <= {late}  # a busy machine; it tries again, and goes on as before


def test_a_wrong_renewal_is_one_line_and_the_previous_certificate_stays(
    gateway: Gateway, made: Certificates
) -> None:
    before = made.der()
    made.make("old", days=0)
    made.key("old").rename(made.key())
    made.crt("old").rename(made.crt())
    until(lambda: lines(gateway, "error"), 15, "no line")
    time.sleep(2.5)
    (line,) = lines(gateway, "error")
    wrong = f"FIZZBUZZ_TLS_CERT={made.crt()}: it expired at "
    assert line.startswith(f"the renewed certificate is not used, the previous one stays: {wrong}")
    assert made.shown(gateway.port) == before
    assert gateway.post(2).status == 202


def test_a_renewal_that_the_consumer_refuses_is_one_line_until_it_does_not(
    shared_redis: RedisServer, tmp_path: Path, made: Certificates
) -> None:
    """Of two CAs, each side has what it verifies the other with."""
    of_gateway = Certificates(tmp_path / "of-gateway")
    own = {
        "consumer": made.grpc("grpc") | {"FIZZBUZZ_GRPC_TLS_CA": str(of_gateway.ca)},
        "gateway": of_gateway.grpc() | {"FIZZBUZZ_GRPC_TLS_CA": str(made.ca)},
    }
    gateway = Gateway(tmp_path, shared_redis.url, own, **made.https())
    gateway.tls = made.client()
    try:
        gateway.start()
        with Load(gateway) as load:
            stranger = Certificates(tmp_path / "stranger")
            stranger.crt().rename(of_gateway.crt())
            stranger.key().rename(of_gateway.key())
            until(lambda: lines(gateway, "error"), 15, "no line")
            time.sleep(3)
            (line,) = lines(gateway, "error")
            assert line.startswith("the renewed certificate is not used yet, no consumer accepts it: ")
            of_gateway.make()
            time.sleep(4)
        assert load.failed == []
        assert set(load.statuses) == {202}
        assert lines(gateway, "error") == [line]
    finally:
        gateway.stop()


@pytest.mark.parametrize("which", ["consumer", "gateway", "plain consumer"])
def test_a_side_that_the_other_one_does_not_trust_is_not_used(
    shared_redis: RedisServer, tmp_path: Path, made: Certificates, which: str
) -> None:
    stranger = Certificates(tmp_path / "stranger").grpc() | {"FIZZBUZZ_GRPC_TLS_CA": str(made.ca)}
    own = {"consumer": made.grpc("grpc"), "gateway": made.grpc("grpc")}
    own[which.rpartition(" ")[2]] = {} if which.startswith("plain") else stranger
    gateway = Gateway(tmp_path, shared_redis.url, own)
    try:
        gateway.consumer.start()
        gateway.gateway.start()
        until(lambda: "messages can be accepted" in gateway.consumer.text(), 20, "the consumer is not ready")
        until(lambda: listens(gateway.port), 20, "the gateway does not listen")
        assert gateway.post(3).status == 503
        (line,) = lines(gateway, "warning")
        assert re.match("the consumer did not accept messages: .*; last error: ", line)
    finally:
        gateway.stop()


def test_who_makes_no_handshake_is_disconnected_and_shuts_nobody_out(gateway: Gateway) -> None:
    silent = [socket.create_connection(("127.0.0.1", gateway.port), 5) for _ in range(200)]
    plain = socket.create_connection(("127.0.0.1", gateway.port), 5)
    try:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        watch = Stopwatch()
        assert gateway.post(4, timeout_s=60).status == 202
        assert watch.seconds < AT_ONCE_S
        plain.settimeout(HANDSHAKE_S + 5)
        with suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(1000)
        for one in silent:
            one.settimeout(HANDSHAKE_S + 10)
            assert one.recv(10) == b""
    finally:
        for one in (*silent, plain):
            one.close()
    untrusting = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as raw, pytest.raises(ssl.SSLError):
        untrusting.wrap_socket(raw, server_hostname="127.0.0.1")
    assert gateway.post(5).status == 202
    assert lines(gateway, "error") + lines(gateway, "warning") == []


def test_an_error_is_readable_while_the_client_still_sends(gateway: Gateway) -> None:
    with closing(gateway.connect()) as connection:
        connection.request("POST", "/messages", b"x" * (9 << 20), JSON)
        assert connection.getresponse().status == 413


def test_a_client_that_ends_tls_while_it_waits_is_no_warning(gateway: Gateway) -> None:
    with closing(gateway.connect()) as connection:
        connection.request("POST", "/messages", json.dumps(GOOD | {"number": 7}), JSON)
        assert isinstance(connection.sock, ssl.SSLSocket)
        with suppress(OSError):  # the response came first
            connection.sock.unwrap()
    assert gateway.post(8).status == 202
    assert lines(gateway, "error") + lines(gateway, "warning") == []


def test_a_stop_ends_in_time_with_open_connections_and_handshakes(gateway: Gateway) -> None:
    with closing(gateway.connect()) as idle, socket.create_connection(("127.0.0.1", gateway.port), 5):
        idle.connect()
        gateway.gateway.signal(signal.SIGTERM)
        watch = Stopwatch()
        assert gateway.gateway.wait(60) == 0
        assert watch.seconds < GOODBYE_S + 3
    assert "Traceback" not in gateway.gateway.text()


def has_called(pid: int) -> bool:
    """Whether a process has made a connection: to the consumer, once it has loaded its certificates."""
    found = psutil.Process(pid).net_connections("tcp")
    ours = {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}
    return any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port not in ours for one in found)


def test_each_of_several_processes_renews(
    shared_redis: RedisServer, tmp_path: Path, made: Certificates
) -> None:
    settings = {**made.https(), **made.grpc("grpc"), "FIZZBUZZ_GATEWAY_PROCESSES": "2"}
    gateway = Gateway(tmp_path, shared_redis.url, **settings)
    gateway.tls = made.client()
    try:
        gateway.start()
        # One that has not loaded its certificate yet would begin with the renewed one.
        until(lambda: sum(map(has_called, children_of(gateway.gateway.pid))) == 2, what="two that have begun")
        made.make()
        until(lambda: renewals(gateway) == 2, 15, "two renewals")
        assert {made.shown(gateway.port) for _ in range(20)} == {made.der()}
        assert gateway.post(6).status == 202
    finally:
        gateway.stop()


@pytest.mark.parametrize("what", ["missing", "expired", "key", "no key", "client", "grpc"])
def test_it_does_not_start_with_a_wrong_one(
    shared_redis: RedisServer, tmp_path: Path, made: Certificates, what: str
) -> None:
    settings = {**made.https(), **made.grpc("grpc")}
    if what == "missing":
        made.crt().unlink()
        line = f"FIZZBUZZ_TLS_CERT={made.crt()}: no such file or directory"
    elif what == "expired":
        made.make(days=0)
        line = f"FIZZBUZZ_TLS_CERT={made.crt()}: it expired at 20"
    elif what == "key":
        settings["FIZZBUZZ_TLS_KEY"] = str(made.key("grpc"))
        line = f"FIZZBUZZ_TLS_KEY={made.key('grpc')}: it is not the key of FIZZBUZZ_TLS_CERT={made.crt()}"
    elif what == "no key":
        del settings["FIZZBUZZ_TLS_KEY"]
        line = "FIZZBUZZ_TLS_CERT needs FIZZBUZZ_TLS_KEY too"
    elif what == "client":
        made.make("grpc", purpose="serverAuth")
        line = f"FIZZBUZZ_GRPC_TLS_CERT={made.crt('grpc')}: it is not for a client: "
    else:
        made.key("grpc").write_text("none\n")
        line = f"FIZZBUZZ_GRPC_TLS_KEY={made.key('grpc')}: it holds no valid private key in PEM"
    gateway = Gateway(tmp_path, shared_redis.url, **settings)
    gateway.gateway.start()
    assert gateway.gateway.refusal().startswith(f"gateway: {line}")


def test_the_script_makes_certificates_that_openssl_accepts(made: Certificates) -> None:
    words = ["openssl", "verify", "-CAfile", str(made.ca), "-verify_hostname", "localhost", str(made.crt())]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip().endswith("OK")
