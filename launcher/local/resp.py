"""Just enough of Redis's protocol for the launcher, which has no library: one command, one answer."""

import socket
import ssl
from types import TracebackType
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

TIMEOUT_S = 1.0
MAX_LINE_BYTES = 4_096


class Redis:
    """A connection to the Redis at ``url``: ``unix://``, ``redis://`` or ``rediss://``.

    Raises:
        OSError: nobody answers.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self._socket = _connect(parts, options)
        self._file = self._socket.makefile("rb")
        if parts.password:
            user = (unquote(parts.username),) if parts.username else ()
            self.ask("AUTH", *user, unquote(parts.password))
        database = options.get("db") or ("" if parts.scheme == "unix" else parts.path.strip("/"))
        if database:
            self.ask("SELECT", database)

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, *words: str) -> str:
        """The answer to a command whose answer is one text or number.

        Raises:
            OSError: no answer, or an error for an answer.
        """
        encoded = [word.encode() for word in words]
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded)
        self._socket.sendall(command)
        line = self._file.readline(MAX_LINE_BYTES).decode("utf-8", "replace").rstrip("\r\n")
        if line[:1] == "$" and line[1:].isdigit():
            return self._file.read(int(line[1:]) + len("\r\n")).decode("utf-8", "replace").rstrip("\r\n")
        if line[:1] not in ("+", ":"):
            raise OSError(f"Redis: {line.removeprefix('-') or 'no answer'}")
        return line[1:]


def _connect(parts: SplitResult, options: dict[str, str]) -> socket.socket:
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        connection.connect(unquote(parts.path))
        return connection
    host = parts.hostname or "127.0.0.1"
    plain = socket.create_connection((host, parts.port or 6379), TIMEOUT_S)
    return plain if parts.scheme == "redis" else _context(options).wrap_socket(plain, server_hostname=host)


def _context(options: dict[str, str]) -> ssl.SSLContext:
    """What the services' client takes from the URL too."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
