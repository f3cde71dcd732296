"""All settings, read once from the environment into one typed object (``.env.example`` explains each).

Standard library only: the launcher reads it before anything is installed.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from pipeline.environment import Environment, SettingsError
from pipeline.tokens import Token


@dataclass(frozen=True, slots=True)
class Influx:
    """Where an InfluxDB 2 is, and by which token one may use it."""

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the parts of one system are told. Defaults are those of ``contract`` and ``.env.example``."""

    name: str
    """This part's own name, e.g. ``worker-1``."""
    bind: str
    web_port: int
    gateway_port: int
    grpc_port: int
    grpc_bind: str
    """Where the consumer listens: it checks no token, so not on ``bind``."""
    metrics_bind: str
    metrics_port: int
    """Where producer, consumer and worker serve /metrics; 0: any free port, written to ``run_dir``."""
    run_dir: Path | None
    gateway_url: str
    consumer_address: str
    redis_url: str = field(repr=False)
    store: str
    sqlite_path: Path
    influx_port: int
    """Where a system listens that runs an InfluxDB of its own."""
    influx: Influx
    rate: float
    burst: int
    burst_span_ms: int
    tokens: tuple[Token, ...] = field(repr=False)
    """The tokens of the HTTP API; none: it needs none."""
    token_file: Path | None
    """Where they were read from, if from a file."""
    open: bool
    """Whether the API may be open to other machines without a token."""
    trust_forwarded: bool
    """Whether a proxy in front of the gateway names the client in X-Forwarded-For."""
    hosts: tuple[str, ...]
    """Hosts that a request may name besides the loopback and ``bind``, as ``hosts.parse`` writes them."""
    workers: int
    """Queue workers that the launcher starts."""
    gateway_processes: int
    queue_limit: int
    """Messages that may wait before the sender is told that the queue is full."""
    redis_memory_bytes: int
    """Memory that a Redis of the system's own may use."""
    dedupe_window_s: int
    log_level: str

    @property
    def api_token(self) -> str:
        """The token that this system's own senders use: the first one."""
        return self.tokens[0].secret if self.tokens else ""


def read(environ: Mapping[str, str], part: str = "") -> Settings:
    """The settings in ``environ`` for one ``part``; an empty value counts as absent.

    Raises:
        SettingsError: a value makes no sense.
    """
    env = Environment(environ)
    bind = env.text("FIZZBUZZ_BIND", "127.0.0.1")
    gateway_port = env.port("FIZZBUZZ_GATEWAY_PORT", 8000)
    grpc_port = env.port("FIZZBUZZ_GRPC_PORT", 50051)
    grpc_bind = env.text("FIZZBUZZ_GRPC_BIND", "127.0.0.1")
    home = Path(env.text("FIZZBUZZ_HOME", ".fizzbuzz"))
    run_dir = env.text("FIZZBUZZ_RUN_DIR", "")
    return Settings(
        name=env.text("FIZZBUZZ_PART", f"{part}-{socket.gethostname()}"),
        bind=bind,
        web_port=env.port("FIZZBUZZ_WEB_PORT", 5000),
        gateway_port=gateway_port,
        grpc_port=grpc_port,
        grpc_bind=grpc_bind,
        metrics_bind=env.text("FIZZBUZZ_METRICS_BIND", "127.0.0.1"),
        metrics_port=env.whole("FIZZBUZZ_METRICS_PORT", 0, 0, 65_535),
        run_dir=Path(run_dir) if run_dir else None,
        gateway_url=env.url(
            "FIZZBUZZ_GATEWAY_URL", f"http://{address(reachable(bind), gateway_port)}", ("http", "https")
        ),
        consumer_address=env.text("FIZZBUZZ_CONSUMER_ADDRESS", address(reachable(grpc_bind), grpc_port)),
        redis_url=env.url("REDIS_URL", "redis://127.0.0.1:6379/0", ("redis", "rediss", "unix")),
        store=env.choice("FIZZBUZZ_STORE", "sqlite", ("sqlite", "influxdb")),
        sqlite_path=Path(env.text("FIZZBUZZ_SQLITE_PATH", str(home / "data" / "messages.db"))),
        influx_port=env.port("FIZZBUZZ_INFLUX_PORT", 8086),
        influx=_influx(env),
        rate=env.real("FIZZBUZZ_RATE", 1, 0, 100),
        burst=env.whole("FIZZBUZZ_BURST", 10, 1, 10_000),
        burst_span_ms=env.whole("FIZZBUZZ_BURST_SPAN_MS", 100, 1, 60_000),
        tokens=env.tokens("FIZZBUZZ_API_TOKEN"),
        token_file=env.file("FIZZBUZZ_API_TOKEN"),
        open=env.flag("FIZZBUZZ_OPEN"),
        trust_forwarded=env.flag("FIZZBUZZ_TRUST_FORWARDED"),
        hosts=env.hosts("FIZZBUZZ_HOSTS"),
        workers=env.whole("FIZZBUZZ_WORKERS", 1, 1, 64),
        gateway_processes=env.whole("FIZZBUZZ_GATEWAY_PROCESSES", 1, 1, 64),
        queue_limit=env.whole("FIZZBUZZ_QUEUE_LIMIT", 1_000_000, 1, 10**9),
        redis_memory_bytes=env.size("FIZZBUZZ_REDIS_MEMORY", "512mb", 8_000_000),
        dedupe_window_s=env.whole("FIZZBUZZ_DEDUPE_WINDOW_S", 3_600, 1, 10**8),
        log_level=env.choice("FIZZBUZZ_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
    )


def of_process(part: str, check: Callable[[Settings], None] = lambda settings: None) -> Settings:
    """The settings of this process. Where one makes no sense it ends: one line on stderr, exit status 2."""
    try:
        settings = read(os.environ, part)
        check(settings)
    except SettingsError as error:
        print(f"{part}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return settings


def require_guard(settings: Settings) -> None:
    """Raises SettingsError where other machines could send without a token and nobody said that they may."""
    if settings.tokens or settings.open or _is_loopback(settings.bind):
        return
    raise SettingsError(
        f"FIZZBUZZ_BIND={settings.bind} opens the API to other machines: set FIZZBUZZ_API_TOKEN,"
        " or FIZZBUZZ_OPEN=1 to let anybody send"
    )


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def reachable(bind: str) -> str:
    """The address by which a part on this machine reaches one that listens on ``bind``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def address(host: str, port: int) -> str:
    """``host:port``, as URLs and gRPC have it, also where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _influx(env: Environment) -> Influx:
    port = env.port("FIZZBUZZ_INFLUX_PORT", 8086)
    return Influx(
        url=env.url("INFLUXDB_URL", f"http://127.0.0.1:{port}", ("http", "https")),
        token=env.secret("INFLUXDB_TOKEN"),
        org=env.text("INFLUXDB_ORG", "fizzbuzz"),
        bucket=env.text("INFLUXDB_BUCKET", "messages"),
    )
