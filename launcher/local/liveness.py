"""Whether a process answers anything at all.

The watchdog always runs, so this uses sockets alone: clients of HTTP, Redis and Supervisor would double it.
"""

import base64
import socket
from pathlib import Path
from urllib.parse import urlsplit

from launcher.layout import Layout
from launcher.local.plan import ProcessPlan
from pipeline.hosts import host_port, loopback_for

TIMEOUT_S = 2.0
LAUNCHER = "launcher"
"""Name and password at a socket that only its owner can reach; without any Supervisor logs a warning."""
_GET_STATE = b"<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>"
_MOST_BYTES = 65_536


def supervisor_socket(home: Layout) -> Path:
    """Where Supervisor listens."""
    return home.sockets / "supervisor.sock"


def supervisor_answers(home: Layout) -> bool:
    """Whether Supervisor answers that it runs."""
    secret = base64.b64encode(f"{LAUNCHER}:{LAUNCHER}".encode()).decode()
    more = f"Authorization: Basic {secret}\r\nContent-Type: text/xml\r\nContent-Length: {len(_GET_STATE)}\r\n"
    request = _head("POST /RPC2", "localhost", more) + _GET_STATE
    return b">RUNNING<" in _ask(str(supervisor_socket(home)), request)


def service_answers(one: ProcessPlan, run: Path) -> bool:
    """Whether the service answers; Redis also by an error, such as that it reads its data."""
    if is_redis(one):
        return _ask(urlsplit(one.ready).path, b"PING\r\nQUIT\r\n") != b""
    url = urlsplit(one.ready or written_address(one.name, run))
    if not url.hostname or not url.port:
        return False
    path = url.path.replace("/readyz", "/healthz")  # the checks of /readyz may wait for another service
    request = _head(f"GET {path}", host_port(url.hostname, url.port))
    answer = _ask((url.hostname, url.port), request, tls=url.scheme == "https")
    return answer.startswith(b"HTTP/1.")


def is_redis(one: ProcessPlan) -> bool:
    """Whether it is the system's own Redis, which listens on a Unix socket."""
    return bool(one.ready) and not one.ready.startswith("http")


def written_address(name: str, run: Path) -> str:
    """The readiness URL at the address that the service wrote; empty until it did."""
    try:
        host, _, port = (run / f"{name}.address").read_text().strip().rpartition(":")
    except (FileNotFoundError, ValueError):
        return ""
    return f"http://{host_port(loopback_for(host.strip('[]')), int(port))}/readyz" if port else ""


def _head(what: str, host: str, more: str = "") -> bytes:
    return f"{what} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n".encode()


def _ask(address: str | tuple[str, int], request: bytes, *, tls: bool = False) -> bytes:
    """The answer to a request, as far as it came in time; empty where there is none."""
    answer = b""
    try:
        with _encrypted(_connected(address)) if tls else _connected(address) as connection:
            connection.sendall(request)
            while len(answer) < _MOST_BYTES and (more := connection.recv(4_096)):
                answer += more
    except OSError:
        pass
    return answer


def _encrypted(connection: socket.socket) -> socket.socket:
    from pipeline import local_tls  # which takes memory, and only a system with TLS needs it

    return local_tls.unverified().wrap_socket(connection)


def _connected(address: str | tuple[str, int]) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address, TIMEOUT_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
