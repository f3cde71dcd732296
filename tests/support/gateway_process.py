"""A real gateway in front of a real consumer, each a process of its own."""

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path

from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until

GOOD = {"run": "run-1", "number": 7, "sent_at": "2026-01-01T12:00:00.123456Z"}


class Gateway:
    """``python -m gateway`` and ``python -m consumer`` on a Redis; their logs are in ``directory``.

    ``own``: settings of one of the two alone, by its name.
    """

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        own: Mapping[str, Mapping[str, str]] | None = None,
        /,
        **settings: str,
    ) -> None:
        own = own or {}
        self.port = free_port()
        given = {
            "FIZZBUZZ_GATEWAY_PORT": str(self.port),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            "REDIS_URL": redis_url,
            **settings,
        }
        self.tls: ssl.SSLContext | None = None
        """What the gateway is asked with by https."""
        self.gateway = ServiceProcess("gateway", directory, **{**given, **own.get("gateway", {})})
        self.consumer = ServiceProcess("consumer", directory, **{**given, **own.get("consumer", {})})

    def start(self) -> None:
        """Start both and wait until messages are accepted."""
        self.consumer.start()
        self.gateway.start()
        until(self.is_ready, 20, "the gateway is not ready", self.gateway.log_file)

    def stop(self) -> None:
        """End both, frozen or not."""
        self.gateway.end()
        self.consumer.end()

    def get(self, path: str, timeout_s: float = 10) -> int:
        """The status of the answer."""
        return self.ask("GET", path, timeout_s=timeout_s).status

    def post(self, number: int, timeout_s: float = 10) -> http.client.HTTPResponse:
        """Send one message; the answer, read to its end."""
        body = json.dumps(GOOD | {"number": number}).encode()
        return self.ask("POST", "/messages", body, {"Content-Type": "application/json"}, timeout_s)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 10,
    ) -> http.client.HTTPResponse:
        """The answer over a connection of its own; its body was read."""
        connection = self.connect(timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()

    def connect(self, timeout_s: float = 10) -> http.client.HTTPConnection:
        """A connection to the gateway; close it."""
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_s, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz", timeout_s=2) == 200
        except OSError:
            return False
