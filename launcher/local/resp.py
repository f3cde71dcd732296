"""Just enough of Redis's protocol for the launcher, which has no library: one command, one answer."""

import socket
import ssl
from types import TracebackType
from urllib.parse import unquote, urlsplit

TIMEOUT_S = 1.0


class Redis:
    """A connection to the Redis at ``url``: ``unix://``, ``redis://`` or ``rediss://``.

    Raises:
        OSError: nobody answers.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = _connect(parts.scheme, parts.path, parts.hostname, parts.port)
        self._file = self._socket.makefile("rb")
        if parts.password:
            user = (unquote(parts.username),) if parts.username else ()
            self.ask("AUTH", *user, unquote(parts.password))
        database = parts.path.strip("/")
        if parts.scheme != "unix" and database:
            self.ask("SELECT", database)

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, *words: str) -> str:
        """The answer to a command whose answer is one line.

        Raises:
            OSError: no answer, or an error for an answer.
        """
        encoded = [word.encode() for word in words]
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded)
        self._socket.sendall(command)
        line = self._file.readline().decode().rstrip("\r\n")
        if line[:1] not in ("+", ":"):
            raise OSError(f"Redis: {line[1:] or 'no answer'}")
        return line[1:]


def _connect(scheme: str, path: str, host: str | None, port: int | None) -> socket.socket:
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        connection.connect(unquote(path))
        return connection
    host = host or "127.0.0.1"
    plain = socket.create_connection((host, port or 6379), TIMEOUT_S)
    return (
        plain if scheme == "redis" else ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    )
