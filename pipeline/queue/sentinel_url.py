"""A URL that names Sentinels instead of one Redis server. Standard library only: settings are read with it.

    redis+sentinel://[user:password@]host[:port][,host[:port]…]/primary[/database]
                     [?sentinel_username=…&sentinel_password=…]

User and password are those of Redis; Sentinel has its own.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from pipeline.hosts import host_port

SCHEME = "redis+sentinel"
DEFAULT_PORT = 26_379

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""The characters that Sentinel allows in the name of a primary."""

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

    @property
    def described(self) -> str:
        """The Sentinels, without any credentials."""
        return ", ".join(host_port(*one) for one in self.sentinels)


def is_sentinel(url: str) -> bool:
    """Whether ``url`` names Sentinels."""
    return url.lower().startswith(f"{SCHEME}://")


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
    sentinel = _options(query)
    return SentinelUrl(
        sentinels=tuple(_address(host) for host in hosts.split(",")),
        primary=primary,
        database=int(database or 0),
        username=unquote(username),
        password=unquote(password),
        sentinel_username=sentinel.get("sentinel_username", ""),
        sentinel_password=sentinel.get("sentinel_password", ""),
    )


def _address(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int(found[2] or DEFAULT_PORT) if found else 0
    if not found or not 1 <= port <= 65_535:
        raise ValueError(f"{_FORM}; each Sentinel needs a host, and a port only as a number from 1 to 65535")
    return found[1].strip("[]"), port


def _options(query: str) -> dict[str, str]:
    found = {name: values[-1] for name, values in parse_qs(query).items()}
    if unknown := found.keys() - {"sentinel_username", "sentinel_password"}:
        raise ValueError(
            f"has an unknown option {min(unknown)}: sentinel_username, sentinel_password are known"
        )
    return found
