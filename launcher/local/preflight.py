"""Checks what a start needs before anything is touched: ports, servers, database. Changes nothing."""

import errno
import os
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher import bootstrap, ports, readiness, tls_preflight
from launcher.configuration import REDIS_URLS, Configuration
from launcher.errors import USAGE, UserError
from launcher.local import influx_server, plan_builder
from launcher.local.plan import Plan
from pipeline import settings
from pipeline.queue import sentinel_url

TIMEOUT_S = 2.0
_BINDS = ("FIZZBUZZ_BIND", "FIZZBUZZ_GRPC_BIND")


def check(configuration: Configuration, running: Plan | None) -> None:
    """Check it all; what needs the environment's packages, only inside of it.

    Args:
        configuration: what is wanted.
        running: the processes of this very system, whose ports are ours; None where none runs.

    Raises:
        UserError: something is wrong; the text names the setting, and where it was set.
    """
    tls_preflight.check(configuration)
    _check_redis(configuration, running)
    _check_influx(configuration)
    if configuration.settings.store == "sqlite":
        _check_sqlite(configuration)
    ours = _listening(running) if running else ()
    outer = plan_builder.wanted_ports(configuration)
    wanted = configuration.settings
    inner = {"FIZZBUZZ_GRPC_PORT": outer.pop("FIZZBUZZ_GRPC_PORT")}
    ports.check(wanted.bind, outer, ours=ours)
    if influx_server.is_set_up_on_loopback(configuration):
        influx = {name: port for name, port in outer.items() if name == "FIZZBUZZ_INFLUX_PORT"}
        ports.check(influx_server.LOOPBACK, influx, ours=ours)
    ports.check(wanted.grpc_bind, inner, "FIZZBUZZ_GRPC_BIND", ours=ours)
    ports.check(wanted.metrics_bind, {}, "FIZZBUZZ_METRICS_BIND")


def _listening(running: Plan) -> set[tuple[str, int]]:
    """Its addresses and ports; which port is on which of the two addresses doesn't matter."""
    env = {name: text for one in running.processes for name, text in one.env.items() if name in _BINDS}
    bound = settings.read(env)
    return {(bind, port) for bind in (bound.bind, bound.grpc_bind) for port in running.ports}


def _check_redis(configuration: Configuration, running: Plan | None) -> None:
    url = configuration.outside_redis
    replicas = configuration.settings.redis_replicas
    if not url:
        if replicas:
            raise UserError(
                f"{_named(configuration, 'FIZZBUZZ_REDIS_REPLICAS')} this system's own Redis is one server:"
                " set REDIS_URL to one with replicas (docs/growth.md), or unset it",
                USAGE,
            )
        return
    named = _named(
        configuration, next(name for name in reversed(REDIS_URLS) if configuration.given.get(name))
    )
    try:
        _connect(url)
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"{named} no Redis answers there: {why}", USAGE) from None
    except UnicodeError:  # of the codec that names of hosts go through
        raise UserError(f"{named} its host is not a valid name", USAGE) from None
    if not bootstrap.is_inside(configuration.venv):
        return
    from launcher.local import redis_queue  # needs the environment

    redis_queue.check_outside(url, replicas)
    if running is None:
        redis_queue.check_left_behind(configuration.home, bootstrap.python_of(configuration.venv))
    elif running.find("redis"):
        redis_queue.check_left_running(running.redis_url)


def _connect(url: str) -> None:
    """Raises OSError where nothing listens there: of Sentinels, at none of the addresses."""
    if sentinel_url.is_sentinel(url):
        _connect_any(sentinel_url.parse(url).sentinels)
        return
    parts = urlsplit(url)
    if parts.scheme == "unix":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(TIMEOUT_S)
            probe.connect(unquote(parts.path))
    else:
        address = (parts.hostname or "127.0.0.1", parts.port or 6379)
        socket.create_connection(address, TIMEOUT_S).close()


def _connect_any(addresses: Sequence[tuple[str, int]]) -> None:
    for number, address in enumerate(addresses, 1):
        try:
            socket.create_connection(address, TIMEOUT_S / len(addresses)).close()
        except OSError:
            if number == len(addresses):
                raise
        else:
            return


def _check_influx(configuration: Configuration) -> None:
    if configuration.settings.store != "influxdb":
        return
    if influx_server.is_own(configuration):
        influx_server.find()
    elif refused := tls_preflight.refused(
        configuration.settings.influx_url, configuration.settings.influx_ca
    ):
        text = f"its certificate is not accepted: {refused}; INFLUXDB_CA names its CA"
        raise UserError(f"{_named(configuration, 'INFLUXDB_URL')} {text}", USAGE)
    elif readiness.get(f"{configuration.settings.influx_url.rstrip('/')}/health", TIMEOUT_S)[0] == 0:
        raise UserError(f"{_named(configuration, 'INFLUXDB_URL')} no InfluxDB answers there", USAGE)


def _check_sqlite(configuration: Configuration) -> None:
    """That the database, where it exists, is one; and that its folder does."""
    path = plan_builder.sqlite_path(configuration)
    if "FIZZBUZZ_SQLITE_PATH" not in configuration.given:
        return
    try:
        _try_sqlite(path)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise UserError(f"{_named(configuration, 'FIZZBUZZ_SQLITE_PATH')} {path}: {why}", USAGE) from None


def _try_sqlite(path: Path) -> None:
    """Raises OSError or sqlite3.Error where no service could write it; folders that are missing, it makes."""
    folder = next(parent for parent in path.parents if parent.exists())
    code = errno.EACCES if folder.is_dir() else errno.ENOTDIR
    if code == errno.ENOTDIR or not os.access(folder, os.W_OK):
        raise OSError(code, os.strerror(code))
    if not path.exists():
        return
    with path.open("ab"):  # nothing is written, but it could be
        pass
    with closing(sqlite3.connect(path, timeout=TIMEOUT_S)) as database:
        database.execute("PRAGMA schema_version").fetchone()


def _named(configuration: Configuration, name: str) -> str:
    return f"{name} (set in {configuration.origins.get(name, 'the environment')}):"
