"""All settings, each declared once, read once from the environment into one typed object.

A declaration drives the parsing, what each service receives, what is secret, and ``.env.example``. Standard
library only: the launcher reads it before anything is installed.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pipeline import declaration
from pipeline.certificate import CertificateError, KeyPair, MutualTls, NamedFile
from pipeline.declaration import Declaration, Lookup, Reader, SettingsError, setting
from pipeline.hosts import host_port, loopback_for
from pipeline.tokens import Token

MS_PER_S = 1_000
MIN_RATE = 0.00001
"""A burst in 28 hours: the start waits for the first one, and no clock can wait without an end."""
NO_SERVICE = ()
"""For the launcher alone."""
SENDS = ("producer",)
GATEWAY = ("gateway",)
QUEUE = ("consumer", "worker", "web")
STORE = ("worker", "web")
METRICS = ("producer", "consumer", "worker")
ALL = ("producer", "gateway", "consumer", "worker", "web")


@dataclass(frozen=True, slots=True)
class Influx:
    """Where an InfluxDB 2 is, and the token to use it with."""

    url: str
    token: str = dataclasses.field(repr=False)
    org: str
    bucket: str
    token_file: Path | None = None
    """Where the token was read from. A new one may be written there at any time."""
    ca: Path | None = None
    """CA certificates that verify it; None: those of this machine."""


def _rate(text: str) -> float:
    rate = declaration.real(0, 100)(text)
    if 0 < rate < MIN_RATE:
        raise ValueError(f"must be 0, or a number from {MIN_RATE:.5f} to 100")
    return rate


def _gateway_url(lookup: Lookup) -> str:
    scheme = "https" if lookup("FIZZBUZZ_TLS_CERT") else "http"
    address = host_port(loopback_for(lookup("FIZZBUZZ_BIND")), int(lookup("FIZZBUZZ_GATEWAY_PORT")))
    return f"{scheme}://{address}"


def _consumer_address(lookup: Lookup) -> str:
    return host_port(loopback_for(lookup("FIZZBUZZ_GRPC_BIND")), int(lookup("FIZZBUZZ_GRPC_PORT")))


def _burst_span_ms(lookup: Lookup) -> str:
    """100 ms, or the whole time between two bursts where that is shorter."""
    rate = float(lookup("FIZZBUZZ_RATE"))
    return str(min(100, int(MS_PER_S / rate))) if rate else "100"


def _bind(lookup: Lookup) -> str:
    return lookup("FIZZBUZZ_BIND")


def _sqlite_path(lookup: Lookup) -> str:
    return str(Path(lookup("FIZZBUZZ_HOME")) / "data" / "messages.db")


def _influx_url(lookup: Lookup) -> str:
    return f"http://127.0.0.1:{lookup('FIZZBUZZ_INFLUX_PORT')}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one system, as one of its services receives them."""

    home: Path = setting(
        "FIZZBUZZ_HOME",
        Path,
        ".fizzbuzz",
        NO_SERVICE,
        "Data, logs, virtual environment and run files of one system; a relative path starts at the\n"
        "checkout. Set it in the environment. Two systems need two of them, and different ports.",
        section="Where things are",
    )
    bind: str = setting(
        "FIZZBUZZ_BIND",
        declaration.address,
        "127.0.0.1",
        ALL,
        "Address that published ports listen on. 0.0.0.0 opens them to your network, which needs\n"
        "FIZZBUZZ_API_TOKEN, or FIZZBUZZ_OPEN=1 to let everybody send who reaches them.",
    )
    hosts: tuple[str, ...] = setting(
        "FIZZBUZZ_HOSTS",
        declaration.host_names,
        "",
        ("gateway", "web"),
        "Names, separated by commas, by which browsers and senders may address page and API besides\n"
        "localhost, loopback addresses and FIZZBUZZ_BIND (where that is 0.0.0.0: besides any IP address). A\n"
        "request that names another host is answered 421, against DNS rebinding.",
    )
    web_port: int = setting("FIZZBUZZ_WEB_PORT", declaration.port, "5000", ("web",), "The page.")
    gateway_port: int = setting(
        "FIZZBUZZ_GATEWAY_PORT", declaration.port, "8000", ("producer", "gateway"), "The HTTP API."
    )
    grpc_port: int = setting(
        "FIZZBUZZ_GRPC_PORT",
        declaration.port,
        "50051",
        ("gateway", "consumer"),
        "The consumer's gRPC; in Docker mode not published.",
    )
    grpc_bind: str = setting(
        "FIZZBUZZ_GRPC_BIND",
        declaration.address,
        "127.0.0.1",
        ("gateway", "consumer"),
        "Local mode: where the consumer's gRPC and the metrics of producer, consumer and workers listen,\n"
        "whatever FIZZBUZZ_BIND says. Neither asks for a token: open them only to a network where everybody\n"
        "may use them.",
    )
    metrics_bind: str = setting("FIZZBUZZ_METRICS_BIND", declaration.address, "127.0.0.1", METRICS, "")
    influx_port: int = setting(
        "FIZZBUZZ_INFLUX_PORT",
        declaration.port,
        "8086",
        NO_SERVICE,
        "API and UI of InfluxDB, where the system runs an InfluxDB of its own.",
    )
    rate: float = setting(
        "FIZZBUZZ_RATE",
        _rate,
        "1",
        SENDS,
        "Bursts a second, 0.00001 to 100; 0 means that the producer sends nothing.",
        section="What is sent",
    )
    burst: int = setting("FIZZBUZZ_BURST", declaration.whole(1, 10_000), "10", SENDS, "Messages in a burst.")
    burst_span_ms: int = setting(
        "FIZZBUZZ_BURST_SPAN_MS",
        declaration.whole(1, 60_000),
        _burst_span_ms,
        SENDS,
        "Milliseconds in which all messages of a burst must be sent; no longer than the time between bursts.",
        example="100",
    )
    tokens: tuple[Token, ...] = setting(
        "FIZZBUZZ_API_TOKEN",
        declaration.token_list,
        "",
        ("producer", "gateway"),
        'Where set, POST /messages needs "Authorization: Bearer <token>", of at least 16 characters.\n'
        "FIZZBUZZ_API_TOKEN_FILE names a file with it, or with several as name:token, one per line;\n"
        "it is read again when it changes.",
        secret=True,
        section="How it is handled",
    )
    token_file: Path | None = setting(
        "FIZZBUZZ_API_TOKEN_FILE", declaration.path, "", ("producer", "gateway"), ""
    )
    open: bool = setting(
        "FIZZBUZZ_OPEN",
        declaration.flag,
        "",
        GATEWAY,
        "1: allows a FIZZBUZZ_BIND beyond the loopback without a token.",
    )
    trust_forwarded: bool = setting(
        "FIZZBUZZ_TRUST_FORWARDED",
        declaration.flag,
        "",
        GATEWAY,
        "1: a proxy in front of the gateway names the client in X-Forwarded-For.",
    )
    workers: int = setting(
        "FIZZBUZZ_WORKERS", declaration.whole(1, 64), "1", NO_SERVICE, "Queue workers, 1 to 64."
    )
    gateway_processes: int = setting(
        "FIZZBUZZ_GATEWAY_PROCESSES", declaration.whole(1, 64), "1", GATEWAY, "Processes of the gateway."
    )
    web_processes: int = setting(
        "FIZZBUZZ_WEB_PROCESSES",
        declaration.whole(1, 64),
        "1",
        ("web",),
        "Processes of the web service, each of which holds up to 10,000 streams.",
    )
    queue_limit: int = setting(
        "FIZZBUZZ_QUEUE_LIMIT",
        declaration.whole(1, 10**9),
        "1000000",
        ("consumer",),
        "Messages that may wait before senders are told that the queue is full.",
    )
    redis_memory_bytes: int = setting(
        "FIZZBUZZ_REDIS_MEMORY",
        declaration.size(8_000_000),
        "512mb",
        NO_SERVICE,
        "Memory of the system's own Redis: 512mb, 2gb and so on, at least 8mb. At 85 % of it senders are\n"
        "told that no memory is left; workers need the rest. docs/operations.md says how many fit.",
    )
    dedupe_window_s: int = setting(
        "FIZZBUZZ_DEDUPE_WINDOW_S",
        declaration.whole(1, 10**8),
        "3600",
        ("consumer",),
        "Seconds in which a message that is sent again is known to be the same.",
    )
    log_level: str = setting(
        "FIZZBUZZ_LOG_LEVEL",
        declaration.choice("debug", "info", "warning", "error"),
        "info",
        ALL,
        "debug, info, warning or error.",
    )
    tls_cert: Path | None = setting(
        "FIZZBUZZ_TLS_CERT",
        declaration.path,
        "",
        ("gateway", "web"),
        "Where set, page and API are served by https: a certificate, followed by its intermediate ones,\n"
        "and its key, files in PEM. They are read again when they are renewed (docs/tls.md). The\n"
        "system's own senders by https verify it by the CAs in FIZZBUZZ_TLS_CA; default: this machine's.",
        section="How connections are encrypted",
    )
    tls_key: Path | None = setting("FIZZBUZZ_TLS_KEY", declaration.path, "", ("gateway", "web"), "")
    tls_ca: Path | None = setting("FIZZBUZZ_TLS_CA", declaration.path, "", SENDS, "")
    grpc_tls_cert: Path | None = setting(
        "FIZZBUZZ_GRPC_TLS_CERT",
        declaration.path,
        "",
        ("gateway", "consumer"),
        "Where set, gateway and consumer verify each other: certificate and key of each, files in PEM, and\n"
        "the CA that has signed the other one's.",
    )
    grpc_tls_key: Path | None = setting(
        "FIZZBUZZ_GRPC_TLS_KEY", declaration.path, "", ("gateway", "consumer"), ""
    )
    grpc_tls_ca: Path | None = setting(
        "FIZZBUZZ_GRPC_TLS_CA", declaration.path, "", ("gateway", "consumer"), ""
    )
    store: str = setting(
        "FIZZBUZZ_STORE",
        declaration.choice("sqlite", "influxdb"),
        "sqlite",
        STORE,
        "sqlite or influxdb. Default: sqlite in local mode; Docker mode has influxdb only.",
        section="Where it is stored",
    )
    sqlite_path: Path = setting(
        "FIZZBUZZ_SQLITE_PATH",
        Path,
        _sqlite_path,
        STORE,
        "The database file in local mode. Default: data/messages.db in FIZZBUZZ_HOME.",
    )
    influx_url: str = setting(
        "INFLUXDB_URL",
        declaration.url("http", "https"),
        _influx_url,
        STORE,
        "An outside InfluxDB 2 in local mode. Without a URL, the system runs the influxd on PATH, and makes\n"
        "tokens, organisation and bucket itself.",
    )
    influx_token: str = setting(
        "INFLUXDB_TOKEN",
        declaration.text,
        "",
        STORE,
        "A token that may read and write the bucket. INFLUXDB_TOKEN_FILE names a file instead, which is\n"
        "read again when the server refuses the token.",
        secret=True,
    )
    influx_token_file: Path | None = setting("INFLUXDB_TOKEN_FILE", declaration.path, "", STORE, "")
    influx_ca: Path | None = setting(
        "INFLUXDB_CA",
        declaration.path,
        "",
        STORE,
        "CA certificates that verify an https:// InfluxDB; default: this machine's.",
    )
    influx_org: str = setting("INFLUXDB_ORG", declaration.text, "fizzbuzz", STORE, "The organisation.")
    influx_bucket: str = setting("INFLUXDB_BUCKET", declaration.text, "messages", STORE, "The bucket.")
    influx_username: str = setting(
        "INFLUXDB_USERNAME",
        declaration.text,
        "admin",
        NO_SERVICE,
        "Who signs in to the UI of the system's own InfluxDB.",
    )
    influx_password: str = setting(
        "INFLUXDB_PASSWORD",
        declaration.text,
        "",
        NO_SERVICE,
        "The password of that user. The first start writes a random one into .env.",
        secret=True,
    )
    redis_url: str = setting(
        "REDIS_URL",
        declaration.redis_url,
        "redis://127.0.0.1:6379/0",
        QUEUE,
        "An outside Redis in local mode: redis://, rediss:// or unix://, version 6.2 or newer. It\n"
        "must have maxmemory-policy noeviction, and should have appendonly yes and appendfsync always.\n"
        "Or the Sentinels of several, and the name of their primary:\n"
        "redis+sentinel://user:password@host:26379,host:26379,host:26379/primary (docs/growth.md).\n"
        "By TLS: rediss://…?ssl_ca_certs=FILE, or rediss+sentinel://… (docs/tls.md).\n"
        "REDIS_URL_FILE names a file with the URL instead.\n"
        "Default: a Redis of the system's own, on a private Unix socket.",
        secret=True,
    )
    redis_replicas: int = setting(
        "FIZZBUZZ_REDIS_REPLICAS",
        declaration.whole(0, 16),
        "0",
        ("consumer", "worker"),
        "Replicas of Redis, 0 to 16, that have a message on disk before it is accepted; 0 on one server.\n"
        "More need Redis 7.2 or newer with as many replicas (docs/growth.md).",
    )
    python_image: str = setting(
        "FIZZBUZZ_PYTHON_IMAGE",
        declaration.text,
        "python:3.13-slim-trixie",
        NO_SERVICE,
        "Images that are built on, or run as they are; in Kubernetes mode too.",
        section="Docker mode only",
    )
    redis_image: str = setting("FIZZBUZZ_REDIS_IMAGE", declaration.text, "redis:8", NO_SERVICE, "")
    influx_image: str = setting("FIZZBUZZ_INFLUXDB_IMAGE", declaration.text, "influxdb:2", NO_SERVICE, "")
    redis_container_memory: str = setting(
        "FIZZBUZZ_REDIS_CONTAINER_MEMORY",
        declaration.text,
        "1g",
        NO_SERVICE,
        "Memory of the container of Redis: twice FIZZBUZZ_REDIS_MEMORY, since rewriting its log may take as\n"
        "much.",
    )
    queue_ui_port: int = setting(
        "FIZZBUZZ_QUEUE_UI_PORT",
        declaration.port,
        "9181",
        NO_SERVICE,
        "Where the optional rq-dashboard listens.",
    )
    kubernetes_namespace: str = setting(
        "FIZZBUZZ_KUBERNETES_NAMESPACE",
        declaration.text,
        "fizzbuzz",
        NO_SERVICE,
        "The namespace of this system; ./start.sh makes it, and down --wipe deletes it.",
        section="Kubernetes mode only",
    )
    kubernetes_context: str = setting(
        "FIZZBUZZ_KUBERNETES_CONTEXT",
        declaration.text,
        "",
        NO_SERVICE,
        "The cluster, as a context of kubectl's configuration. Default: kubectl's current one at the start,\n"
        "which is kept until the next start.",
    )
    kubernetes_registry: str = setting(
        "FIZZBUZZ_KUBERNETES_REGISTRY",
        declaration.text,
        "",
        NO_SERVICE,
        "Where images are pushed and the cluster fetches them, such as registry.example/team. Without it\n"
        "the nodes must have the images: FIZZBUZZ_KUBERNETES_LOAD is a command that copies the images whose\n"
        'names follow it to the nodes, such as "kind load docker-image" or "minikube image load".',
    )
    kubernetes_load: tuple[str, ...] = setting(
        "FIZZBUZZ_KUBERNETES_LOAD", declaration.command, "", NO_SERVICE, ""
    )
    name: str = setting(
        "FIZZBUZZ_PART",
        declaration.text,
        "",
        ALL,
        "The name of the service, and the folder in which it writes the address of its metrics.",
        section="For services started by hand, and for tests; ./start.sh sets them itself",
    )
    run_dir: Path | None = setting("FIZZBUZZ_RUN_DIR", declaration.path, "", ALL, "")
    metrics_port: int = setting(
        "FIZZBUZZ_METRICS_PORT",
        declaration.whole(0, 65_535),
        "0",
        METRICS,
        "Where producer, consumer and worker serve /metrics; 0 means any free port. Ignored in local mode.",
    )
    gateway_url: str = setting(
        "FIZZBUZZ_GATEWAY_URL",
        declaration.url("http", "https"),
        _gateway_url,
        SENDS,
        "Where the producer finds the gateway, and the gateway the consumer, if not on this machine.",
        example="http://127.0.0.1:8000",
    )
    consumer_address: str = setting(
        "FIZZBUZZ_CONSUMER_ADDRESS",
        declaration.text,
        _consumer_address,
        GATEWAY,
        "",
        example="127.0.0.1:50051",
    )
    published_bind: str = setting(
        "FIZZBUZZ_PUBLISHED_BIND",
        declaration.address,
        _bind,
        GATEWAY,
        "The address that the gateway's port is published on, which a container's own does not show.",
    )
    venv: Path | None = setting(
        "FIZZBUZZ_VENV",
        declaration.path,
        "",
        NO_SERVICE,
        "A virtual environment that has all packages already; ./start.sh then makes none of its own.",
    )

    @property
    def api_token(self) -> str:
        """The token that this system's own senders use: the first one."""
        return self.tokens[0].secret if self.tokens else ""

    @property
    def influx(self) -> Influx:
        """Where the system's InfluxDB is."""
        return Influx(
            self.influx_url,
            self.influx_token,
            self.influx_org,
            self.influx_bucket,
            self.influx_token_file,
            self.influx_ca,
        )

    @property
    def tls(self) -> KeyPair | None:
        """What page and API are served with; None: no TLS."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return KeyPair(
            NamedFile("FIZZBUZZ_TLS_CERT", self.tls_cert), NamedFile("FIZZBUZZ_TLS_KEY", self.tls_key)
        )

    @property
    def grpc_tls(self) -> MutualTls | None:
        """What gateway and consumer verify each other with; None: no TLS."""
        if self.grpc_tls_cert is None or self.grpc_tls_key is None or self.grpc_tls_ca is None:
            return None
        pair = KeyPair(
            NamedFile("FIZZBUZZ_GRPC_TLS_CERT", self.grpc_tls_cert),
            NamedFile("FIZZBUZZ_GRPC_TLS_KEY", self.grpc_tls_key),
        )
        return MutualTls(pair, NamedFile("FIZZBUZZ_GRPC_TLS_CA", self.grpc_tls_ca))


DECLARED: Mapping[str, Declaration] = {
    one.name: one for one in (field.metadata["declaration"] for field in dataclasses.fields(Settings))
}
"""Every setting by its name."""


def read(environ: Mapping[str, str], service: str = "", origins: Mapping[str, str] | None = None) -> Settings:
    """The settings in ``environ`` for one ``service``; an empty value counts as absent.

    Args:
        environ: variables by their names.
        service: what the service is called where ``FIZZBUZZ_PART`` does not say.
        origins: where a variable was set, for errors.

    Raises:
        SettingsError: a value is invalid.
    """
    settings = Settings(*Reader(environ, origins or {}).values(DECLARED.values()))
    if settings.rate * settings.burst_span_ms > MS_PER_S:
        origin = (origins or {}).get("FIZZBUZZ_BURST_SPAN_MS")
        raise SettingsError(
            f"FIZZBUZZ_BURST_SPAN_MS={settings.burst_span_ms}{f' (set in {origin})' if origin else ''}:"
            f" must be no longer than the time between bursts, {MS_PER_S / settings.rate:g} ms"
            f" at FIZZBUZZ_RATE={settings.rate:g}"
        )
    _require_together(settings, "FIZZBUZZ_TLS_CERT", "FIZZBUZZ_TLS_KEY")
    _require_together(settings, "FIZZBUZZ_GRPC_TLS_CERT", "FIZZBUZZ_GRPC_TLS_KEY", "FIZZBUZZ_GRPC_TLS_CA")
    if settings.name:
        return settings
    return dataclasses.replace(settings, name=f"{service}-{socket.gethostname()}")


def load_or_exit(service: str, *checks: Callable[[Settings], None]) -> Settings:
    """The settings of this process. Where one is invalid it ends: one line on stderr, exit status 2."""
    try:
        settings = read(os.environ, service)
        for check in checks:
            check(settings)
    except (SettingsError, CertificateError) as error:
        print(f"{service}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return settings


def require_guard(settings: Settings) -> None:
    """Raises SettingsError where other machines could send without a token and nobody allowed that."""
    if settings.tokens or settings.open or ip_address(settings.published_bind).is_loopback:
        return
    raise SettingsError(
        f"FIZZBUZZ_BIND={settings.published_bind} opens the API to other machines: set FIZZBUZZ_API_TOKEN,"
        " or FIZZBUZZ_OPEN=1 to let anybody send"
    )


def _require_together(settings: Settings, *names: str) -> None:
    """Raise SettingsError where some of these paths are set, and not all."""
    paths = {name: getattr(settings, name.removeprefix("FIZZBUZZ_").lower()) for name in names}
    given = [name for name, path in paths.items() if path]
    missing = [name for name, path in paths.items() if not path]
    if given and missing:
        raise SettingsError(f"{given[0]} needs {' and '.join(missing)} too")


def received_by(service: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Those settings of ``environ`` that ``service`` needs, and no other."""
    names = {name for one in DECLARED.values() if service in one.services for name in one.names}
    return {name: value for name, value in environ.items() if name in names}


def unknown(names: Iterable[str]) -> dict[str, str]:
    """The names that begin with ``FIZZBUZZ_`` and are no setting, each with the nearest one that is."""
    known = {name for one in DECLARED.values() for name in one.names}
    found = [name for name in names if name.startswith("FIZZBUZZ_") and name not in known]
    return {name: difflib.get_close_matches(name, known, 1, 0.0)[0] for name in found}
