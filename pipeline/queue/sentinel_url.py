"""A URL that names Sentinels instead of one Redis server. Standard library only: settings are read with it.

    redis+sentinel://[user:password@]host[:port][,host[:port]…]/primary[/database]
                     [?sentinel_username=…&sentinel_password=…]

User and password are those of Redis; Sentinel has its own. With ``rediss+sentinel://`` Sentinels and servers
are asked by TLS; the options ``ssl_ca_certs``, ``ssl_certfile`` and ``ssl_keyfile`` are those of a
``rediss://`` URL.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from pipeline.hosts import host_port

SCHEME, TLS_SCHEME = "redis+sentinel", "rediss+sentinel"
DEFAULT_PORT = 26_379

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""The characters that Sentinel allows in the name of a primary."""

_SIGN_IN = {"sentinel_username", "sentinel_password"}
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""redis-py's options that name files."""

_FORM = "must be redis+sentinel://host:port,host:port/name-of-the-primary"


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """Where the Sentinels are, which primary they watch, and how to sign in to either."""

    sentinels: tuple[tuple[str, int], ...]
    primary: str
    """The name by which Sentinel knows it."""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: bool = False
    tls_files: tuple[tuple[str, str], ...] = ()
    """Files of TLS, by redis-py's names."""

    @property
    def described(self) -> str:
        """The Sentinels, without any credentials."""
        return ", ".join(host_port(*one) for one in self.sentinels)


def is_sentinel(url: str) -> bool:
    """Whether ``url`` names Sentinels."""
    return url.lower().startswith((f"{SCHEME}://", f"{TLS_SCHEME}://"))


def parse(url: str) -> SentinelUrl:
    """Read it. Raises ValueError, whose text says what it must be and repeats nothing of it."""
    rest, _, query = url.partition("://")[2].partition("?")
    credentials, _, where = rest.rpartition("@")
    hosts, _, path = where.partition("/")
    primary, _, database = unquote(path).partition("/")
    if not _NAME.fullmatch(primary):
        raise ValueError(f"{_FORM}; the name of the primary is missing or has other than A-Z a-z 0-9 . _ -")
    if database and not (database.isascii() and database.isdigit() and len(database) <= 4):
        raise ValueError(f"{_FORM}/database; the database must be a number")
    username, _, password = credentials.partition(":")
    is_tls = url.lower().startswith(TLS_SCHEME)
    options = _options(query, _SIGN_IN.union(TLS_FILES) if is_tls else _SIGN_IN)
    return SentinelUrl(
        sentinels=tuple(_address(host) for host in hosts.split(",")),
        primary=primary,
        database=int(database or 0),
        username=unquote(username),
        password=unquote(password),
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=options.get("sentinel_password", ""),
        tls=is_tls,
        tls_files=tuple((name, value) for name, value in options.items() if name in TLS_FILES),
    )


def _address(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int(found[2] or DEFAULT_PORT) if found else 0
    if not found or not 1 <= port <= 65_535:
        raise ValueError(f"{_FORM}; each Sentinel needs a host, and a port only as a number from 1 to 65535")
    return found[1].strip("[]"), port


def _options(query: str, known: set[str]) -> dict[str, str]:
    found = {name: values[-1] for name, values in parse_qs(query).items()}
    if unknown := found.keys() - known:
        raise ValueError(f"has an unknown option {min(unknown)}: {', '.join(sorted(known))} are known")
    return found
