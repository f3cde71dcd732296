"""Where the running system is: its HTTP API, its page and its database, as the launcher passes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """A SQLite file."""

    path: Path


@dataclass(frozen=True, slots=True)
class InfluxTarget:
    """A bucket of an InfluxDB 2, and a token that may read it."""

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str
    ca: str = ""
    """The file of the certificates that verify it; empty: those of this machine."""


@dataclass(frozen=True, slots=True)
class Target:
    """A system to send to."""

    gateway_url: str
    page_url: str
    token: str = field(repr=False)
    """What ``POST /messages`` needs; empty: nothing."""
    database: SqliteTarget | InfluxTarget
    ca: str = ""
    """The file of the certificates that verify an https gateway; empty: those of this machine."""

    @property
    def store(self) -> str:
        """The kind of database."""
        return "influxdb" if isinstance(self.database, InfluxTarget) else "sqlite"


def read(environ: Mapping[str, str]) -> Target:
    """The target that ``environ`` describes. Raises OSError where the file of a secret can't be read."""
    host = _loopback_for(environ.get("FIZZBUZZ_BIND") or "127.0.0.1")
    scheme = "https" if environ.get("FIZZBUZZ_TLS_CERT") else "http"
    gateway = f"{scheme}://{host}:{environ.get('FIZZBUZZ_GATEWAY_PORT') or 8000}"
    return Target(
        gateway_url=(environ.get("FIZZBUZZ_GATEWAY_URL") or gateway).rstrip("/"),
        page_url=f"{scheme}://{host}:{environ.get('FIZZBUZZ_WEB_PORT') or 5000}",
        token=_first_token(_secret(environ, "FIZZBUZZ_API_TOKEN")),
        database=_database(environ, host),
        ca=environ.get("FIZZBUZZ_TLS_CA") or "",
    )


def _database(environ: Mapping[str, str], host: str) -> SqliteTarget | InfluxTarget:
    if environ.get("FIZZBUZZ_STORE") == "influxdb":
        url = f"http://{host}:{environ.get('FIZZBUZZ_INFLUX_PORT') or 8086}"
        return InfluxTarget(
            url=(environ.get("INFLUXDB_URL") or url).rstrip("/"),
            token=_secret(environ, "INFLUXDB_TOKEN"),
            org=environ.get("INFLUXDB_ORG") or "fizzbuzz",
            bucket=environ.get("INFLUXDB_BUCKET") or "messages",
            ca=environ.get("INFLUXDB_CA") or "",
        )
    home = Path(environ.get("FIZZBUZZ_HOME") or ".fizzbuzz")
    return SqliteTarget(Path(environ.get("FIZZBUZZ_SQLITE_PATH") or home / "data" / "messages.db"))


def _loopback_for(bind: str) -> str:
    """The host of a URL by which this machine reaches what listens on ``bind``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
    return f"[{host}]" if ":" in host else host


def _first_token(text: str) -> str:
    """Of tokens, one per line and perhaps as ``name:token``, the one that this system's own senders use."""
    line = text.partition("\n")[0].strip()
    _, colon, secret = line.partition(":")
    return secret if colon else line


def _secret(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else environ.get(name, "")
