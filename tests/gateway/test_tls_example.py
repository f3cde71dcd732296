"""The TLS proxy that docs/security.md recommends, in front of a real gateway and a real web service."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.child_process import PROJECT, ChildProcess
from tests.support.gateway_process import GOOD, Gateway
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.web_service import WebService

CONFIGURATION = PROJECT / "deploy" / "proxy" / "tls-example.cfg"
NAME = "fizzbuzz.example"
ALICE, BOB = "alices-token-0123456789", "bobs-token-0123456789"
PLACEHOLDER = "$6$example$replace-this-hash"


@dataclass(frozen=True)
class Outside:
    """What a client sees from outside."""

    http: str
    https: str
    certificate: Path

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Host": NAME, **options.pop("headers", {})}
        return requests.request(
            method, self.https + path, headers=headers, verify=str(self.certificate), timeout=10, **options
        )

    def post(self, number: int, token: str = "", run: str = "outside", **headers: str) -> int:
        """The status of the answer to one message."""
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        message = GOOD | {"run": run, "number": number}
        return self.ask("POST", "/messages", json=message, headers=bearer | headers).status_code


@pytest.fixture(scope="module")
def outside(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    if not (shutil.which("haproxy") and shutil.which("openssl")):
        pytest.skip("no haproxy or openssl on PATH")
    directory = tmp_path_factory.mktemp("tls")
    tokens = directory / "tokens"
    tokens.write_text(f"alice:{ALICE}\nbob:{BOB}\n")
    gateway = Gateway(
        directory,
        shared_redis.url,
        FIZZBUZZ_API_TOKEN_FILE=str(tokens),
        FIZZBUZZ_HOSTS=NAME,
        FIZZBUZZ_TRUST_FORWARDED="1",
    )
    web = WebService(directory, shared_redis.url, FIZZBUZZ_HOSTS=NAME)
    certificate = _certificate(directory)
    http, https = free_port(), free_port()
    configuration = directory / "haproxy.cfg"
    configuration.write_text(_adapted(http, https, certificate, gateway.port, web.port))
    with ExitStack() as stack:
        stack.callback(gateway.stop)
        gateway.start()
        stack.callback(web.stop)
        web.start()
        process = ChildProcess(["haproxy", "-db", "-f", str(configuration)], directory / "haproxy.log")
        stack.callback(process.end)
        process.start()
        there = Outside(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", certificate)
        until(lambda: _answers(there), 10)
        yield there


def _certificate(directory: Path) -> Path:
    """A certificate and its key in one file, as HAProxy wants them."""
    key, certificate, both = (directory / name for name in ("key.pem", "cert.pem", "both.pem"))
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        f"/CN={NAME}",
    ]
    command += ["-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1", "-keyout", str(key), "-out"]
    subprocess.run([*command, str(certificate)], check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    return both


def _adapted(http: int, https: int, certificate: Path, gateway: int, web: int) -> str:
    """The example with the test's ports, certificate and password."""
    password = subprocess.run(
        ["openssl", "passwd", "-6", "secret"], check=True, capture_output=True, text=True
    ).stdout.strip()
    text = CONFIGURATION.read_text()
    for written, meant in {
        "bind :80\n": f"bind 127.0.0.1:{http}\n",
        "bind :443 ": f"bind 127.0.0.1:{https} ",
        "/etc/haproxy/fizzbuzz.pem": str(certificate),
        "127.0.0.1:8000": f"127.0.0.1:{gateway}",
        "127.0.0.1:5000": f"127.0.0.1:{web}",
        PLACEHOLDER: password,
    }.items():
        assert written in text
        text = text.replace(written, meant)
    return text


def _answers(outside: Outside) -> bool:
    try:
        return outside.ask("GET", "/openapi.json").status_code == 200
    except requests.RequestException:
        return False


def test_a_message_needs_a_token_and_its_run_belongs_to_the_tokens_name(outside: Outside) -> None:
    assert outside.post(0) == 401
    assert outside.post(0, ALICE) == 202
    assert outside.post(1, BOB) == 409
    assert outside.post(1, ALICE) == 202


def test_without_tls_a_client_is_only_sent_to_https(outside: Outside) -> None:
    answer = requests.post(
        f"{outside.http}/messages", json=GOOD, headers={"Host": NAME}, timeout=10, allow_redirects=False
    )
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{NAME}/messages"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/fizzbuzzer"])
def test_what_is_for_the_inside_is_not_found_outside(outside: Outside, path: str) -> None:
    assert outside.ask("GET", path, auth=("viewer", "secret")).status_code == 404


def test_the_page_and_its_stream_need_a_password(outside: Outside) -> None:
    for path in ("/fizzbuzz/", "/fizzbuzz/stats", "/fizzbuzz/stream"):
        assert outside.ask("GET", path).status_code == 401
        assert outside.ask("GET", path, auth=("viewer", "wrong")).status_code == 401
    assert outside.ask("GET", "/fizzbuzz/", auth=("viewer", "secret")).status_code == 200
    stream = outside.ask("GET", "/fizzbuzz/stream", auth=("viewer", "secret"), stream=True)
    with stream:
        assert any(line.startswith(b"event: stats") for line in stream.iter_lines())


def test_a_page_from_elsewhere_gets_nothing(outside: Outside) -> None:
    assert outside.ask("GET", "/openapi.json", headers={"Host": "evil.example"}).status_code == 421
    assert outside.post(2, ALICE, Origin="https://evil.example") == 403


def test_http_2_is_not_offered(outside: Outside) -> None:
    host = outside.https.removeprefix("https://")
    output = subprocess.run(
        ["openssl", "s_client", "-connect", host, "-alpn", "h2,http/1.1"],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    ).stdout
    assert "ALPN protocol: http/1.1" in output


def test_the_gateway_limits_each_address_that_the_proxy_sees_and_none_that_a_client_names(
    outside: Outside,
) -> None:
    wrong = [_wrong_token(outside, source="127.0.0.2", named=f"192.0.2.{number}") for number in range(20)]
    assert 429 in wrong
    assert _wrong_token(outside, source="127.0.0.3", named="192.0.2.1") == 401
    assert outside.post(3, ALICE) == 202


def _wrong_token(outside: Outside, *, source: str, named: str) -> int:
    """The status of the answer to an address that says it is another."""
    context = ssl.create_default_context(cafile=str(outside.certificate))
    host, _, port = outside.https.removeprefix("https://").partition(":")
    connection = HTTPSConnection(host, int(port), timeout=10, source_address=(source, 0), context=context)
    headers = {"Host": NAME, "Authorization": "Bearer wrong", "X-Forwarded-For": named}
    with closing(connection):
        connection.request("POST", "/messages", b"{}", headers | {"Content-Type": "application/json"})
        return connection.getresponse().status
