"""What the watchdog takes for an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.layout import Layout
from launcher.local import liveness
from launcher.local.plan import ProcessPlan

RUNNING = (
    b"HTTP/1.1 200 OK\r\n\r\n<member><name>statename</name><value><string>RUNNING</string></value></member>"
)


class Server:
    """Answers each connection with the same bytes, or accepts none of them."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self.asked = b""
        self._listener = listener
        self._answer = answer

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked = connection.recv(65_536)
                connection.sendall(self._answer)


@contextmanager
def serving(listener: socket.socket, answer: bytes) -> Iterator[Server]:
    server = Server(listener, answer)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def at_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def http(port: int, path: str = "/readyz") -> ProcessPlan:
    return ProcessPlan("gateway", (), {}, f"http://127.0.0.1:{port}{path}")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 503 Service Unavailable\r\n\r\nno"]
)
def test_a_service_answers_whatever_its_status_and_is_asked_whether_it_lives(
    tmp_path: Path, answer: bytes
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with serving(listener, answer) as server:
        assert liveness.service_answers(http(port), tmp_path)
        assert server.asked.startswith(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
    assert not liveness.service_answers(http(port), tmp_path)


def test_a_service_is_asked_at_the_address_that_it_wrote(tmp_path: Path) -> None:
    worker = ProcessPlan("worker-1", (), {})
    assert not liveness.service_answers(worker, tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    (tmp_path / "worker-1.address").write_text(f"0.0.0.0:{listener.getsockname()[1]}")
    with serving(listener, b"HTTP/1.0 200 OK\r\n\r\n"):
        assert liveness.service_answers(worker, tmp_path)


def test_a_service_that_accepts_and_says_nothing_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not liveness.service_answers(http(listener.getsockname()[1]), tmp_path)


@pytest.mark.parametrize("answer", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n", b"-LOADING\r\n"])
def test_redis_answers_also_by_an_error(tmp_path: Path, answer: bytes) -> None:
    redis = ProcessPlan("redis", (), {}, f"unix://launcher:secret@{tmp_path}/redis.sock")
    assert not liveness.service_answers(redis, tmp_path)
    with serving(at_path(tmp_path / "redis.sock"), answer):
        assert liveness.service_answers(redis, tmp_path)


@pytest.mark.parametrize(("answer", "alive"), [(RUNNING, True), (RUNNING.replace(b"RUN", b"STOP"), False)])
def test_supervisor_answers_that_it_runs(tmp_path: Path, answer: bytes, alive: bool) -> None:
    home = Layout(tmp_path)
    home.sockets.mkdir(parents=True, exist_ok=True)
    with serving(at_path(liveness.supervisor_socket(home)), answer):
        assert liveness.supervisor_answers(home) is alive
