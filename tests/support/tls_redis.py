"""Redis servers and a Sentinel that speak TLS alone: the redis-server on PATH; the wheel's has no TLS."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis, RedisError

from pipeline.queue import client as queue
from tests.support.certificates import Certificates
from tests.support.child_process import ChildProcess
from tests.support.ports import free_port
from tests.support.waiting import until

NAME = "fizzbuzz"


def executable() -> str:
    """A redis-server with TLS; skips where there is none."""
    program = shutil.which("redis-server")
    if program is None or b"libssl" not in Path(program).read_bytes():
        pytest.skip("no redis-server with TLS on PATH")
    return program


class TlsRedis:
    """One process on a port of its own."""

    def __init__(self, folder: Path, made: Certificates, *, asks_clients: bool = False) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = {
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": str(made.crt()),
            "tls-key-file": str(made.key()),
            "tls-ca-cert-file": str(made.ca),
            "tls-auth-clients": "yes" if asks_clients else "no",
            "tls-replication": "yes",
            "bind": "127.0.0.1",
            "dir": str(folder),
        }
        self._process: ChildProcess | None = None

    def start(self, *words: str, lines: str = "", **options: str) -> None:
        """Start it; ``words`` follow the file of its configuration, and ``lines`` are at its end."""
        self._folder.mkdir()
        given = {**self._options, **{name.replace("_", "-"): value for name, value in options.items()}}
        conf = self._folder / "redis.conf"
        conf.write_text("".join(f'{name} "{value}"\n' for name, value in given.items()) + lines)
        self._process = ChildProcess([executable(), str(conf), *words], self._folder / "log")
        self._process.start()

    def kill(self) -> None:
        if self._process:
            self._process.kill()


@contextmanager
def server(folder: Path, made: Certificates, *, asks_clients: bool = False) -> Iterator[TlsRedis]:
    """One server that answers."""
    redis = TlsRedis(folder / "redis", made, asks_clients=asks_clients)
    options = f"ssl_ca_certs={made.ca}&ssl_certfile={made.crt()}&ssl_keyfile={made.key()}"
    try:
        redis.start(appendonly="yes", appendfsync="always", save="", maxmemory_policy="noeviction")
        until(lambda: answers(f"rediss://127.0.0.1:{redis.port}?{options}"), what="Redis does not answer")
        yield redis
    finally:
        redis.kill()


@contextmanager
def group(folder: Path, made: Certificates) -> Iterator[tuple[TlsRedis, TlsRedis, TlsRedis]]:
    """A primary, its replica and the Sentinel that watches them."""
    primary, replica, sentinel = (TlsRedis(folder / name, made) for name in ("one", "two", "sentinel"))
    options = {"appendonly": "yes", "appendfsync": "always", "save": "", "repl_diskless_sync_delay": "0"}
    try:
        primary.start(**options)
        replica.start(lines=f"replicaof 127.0.0.1 {primary.port}\n", **options)
        watch = f"sentinel monitor {NAME} 127.0.0.1 {primary.port} 1\n"
        fast = f"sentinel down-after-milliseconds {NAME} 3000\nsentinel failover-timeout {NAME} 5000\n"
        sentinel.start("--sentinel", lines=watch + fast)
        watched = queue.connect(f"rediss://127.0.0.1:{sentinel.port}?ssl_ca_certs={made.ca}")
        until(
            lambda: _is_complete(watched), 30, "the Sentinel does not know both", folder / "sentinel" / "log"
        )
        yield primary, replica, sentinel
    finally:
        for one in (sentinel, replica, primary):
            one.kill()


def answers(url: str) -> bool:
    """Whether a Redis there answers PING."""
    try:
        with queue.connect(url) as redis:
            return bool(redis.ping())
    except (RedisError, OSError):
        return False


def _is_complete(sentinel: Redis) -> bool:
    with suppress(RedisError, KeyError):
        known = cast("dict[str, Any]", sentinel.sentinel_masters())[NAME]
        return bool(known["num-slaves"] == 1 and not known["is_sdown"])
    return False
