"""A real gateway in front of a real consumer, each a process of its own."""

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.bare_environment import bare
from tests.support.freezing import freeze
from tests.support.ports import free_port
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
GOOD = {"run": "run-1", "number": 7, "sent_at": "2026-01-01T12:00:00.123456Z"}


class Gateway:
    """``python -m gateway`` and ``python -m consumer`` on a Redis; their logs are in ``directory``."""

    def __init__(self, directory: Path, redis_url: str, **settings: str) -> None:
        self._directory = directory
        self.port = free_port()
        self._environ = {
            **bare(),
            "FIZZBUZZ_RUN_DIR": str(directory),
            "FIZZBUZZ_GATEWAY_PORT": str(self.port),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            "REDIS_URL": redis_url,
            **settings,
        }
        self.gateway: subprocess.Popen[bytes] | None = None
        self.consumer: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start both and wait until messages are accepted."""
        self.consumer = self._start("consumer")
        self.gateway = self._start("gateway")
        until(self.is_ready, 20)

    def stop(self) -> None:
        """End both, frozen or not."""
        for process in (self.gateway, self.consumer):
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in (self.gateway, self.consumer):
            if process:
                try:
                    process.wait(12)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)

    def freeze_consumer(self) -> None:
        assert self.consumer
        freeze(self.consumer.pid)

    def thaw_consumer(self) -> None:
        assert self.consumer
        self.consumer.send_signal(signal.SIGCONT)

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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz", timeout_s=2) == 200
        except OSError:
            return False

    def log(self, service: str = "gateway") -> str:
        return (self._directory / f"{service}.log").read_text()

    def _start(self, service: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"{service}.log").open("wb") as log:
            command = [sys.executable, "-m", service]
            environ = self._environ | {"FIZZBUZZ_PART": service}
            return subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=log, stderr=log)
