"""Tells the running Supervisor what to do, over its private socket (XML-RPC)."""

import http.client
import socket
import xmlrpc.client
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from pathlib import Path
from typing import Any

from launcher.home import Home

ANSWER_S = 5.0
NO_ANSWER = (OSError, xmlrpc.client.Error, http.client.HTTPException)
"""What a call raises where Supervisor is gone, hangs or refuses; a ``Fault`` is among them."""


def connect(home: Home, *, timeout_s: float = ANSWER_S) -> Any:
    """A client of the running Supervisor; its calls raise one of ``NO_ANSWER`` where none answers."""
    return xmlrpc.client.ServerProxy(
        f"http://launcher:{password(home)}@localhost/RPC2",
        transport=_UnixTransport(socket_path(home), timeout_s),
    ).supervisor


def configuration_path(home: Home) -> Path:
    """What Supervisor reads at its start."""
    return home.run / "supervisor.conf"


def socket_path(home: Home) -> Path:
    """Where Supervisor listens."""
    return home.sockets / "supervisor.sock"


def password(home: Home) -> str | None:
    """What Supervisor asks for; None before its first start, and where the file was damaged since."""
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(configuration_path(home), encoding="utf-8")
    except (ConfigParserError, UnicodeDecodeError):
        return None
    return parser.get("unix_http_server", "password", fallback=None)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        _, self._extra_headers, _ = self.get_host_info(host)
        return _UnixConnection(self._path, self._timeout_s)
