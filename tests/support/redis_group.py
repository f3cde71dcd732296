"""A primary, two replicas and three Sentinels on the loopback, with the users that a system's own have."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from pipeline.queue import client as queue
from pipeline.queue import replication, sentinel_users, users
from pipeline.queue.sentinel_users import Group
from tests.support.child_process import ChildProcess
from tests.support.guarded_redis import ADMIN
from tests.support.ports import free_port
from tests.support.redis_server import executable
from tests.support.waiting import until

NAME = "fizzbuzz"
OPTIONS = {
    "bind": "127.0.0.1",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",
    "hz": "100",
}


class Node(ChildProcess):
    """One process in a folder of its own, which is its disk."""

    def __init__(self, folder: Path, *command: str) -> None:
        super().__init__(command, folder / "log")
        self.folder = folder

    def start(self, *options: str) -> None:
        self.folder.mkdir(exist_ok=True)
        super().start(*options)

    def lose(self) -> None:
        """Its machine is gone: the process at once, and its disk."""
        self.kill()
        shutil.rmtree(self.folder)


class RedisGroup:
    """Servers by their ports; the first one begins as the primary."""

    def __init__(self, folder: Path, *, min_replicas: int = 0) -> None:
        self.ports = [free_port() for _ in range(3)]
        self.sentinel_ports = sentinels = [free_port() for _ in range(3)]
        self.files = folder / "users"
        self.files.mkdir()
        addresses = [("127.0.0.1", port) for port in sentinels]
        keep_users(self.files, Group(NAME, ("127.0.0.1", self.ports[0]), addresses))
        acl = self.files / users.SERVER
        fenced = {"min-replicas-to-write": str(min_replicas), "min-replicas-max-lag": "10"}
        replication_conf = acl.parent / sentinel_users.REPLICATION
        self.nodes = {
            port: _server(folder / f"redis-{port}", port, acl, {**OPTIONS, **fenced}, replication_conf)
            for port in self.ports
        }
        self.sentinels = [_sentinel(folder / f"sentinel-{port}", port, self.files) for port in sentinels]
        self.bare_url = f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in sentinels)}"

    def start(self) -> None:
        """Start all, and wait until replicas have what is written on disk and the Sentinels know them."""
        first, *others = self.ports
        self.nodes[first].start()
        for port in others:
            self.nodes[port].start("--replicaof", "127.0.0.1", str(first))
        until(self._replicates, 30, "replicas have it on disk", self.nodes[first].log_file)
        for sentinel in self.sentinels:
            sentinel.start()
        until(self._is_watched, 30, "the Sentinels know all", self.sentinels[0].log_file)

    def stop(self) -> None:
        for node in (*self.sentinels, *self.nodes.values()):
            node.thaw()
            node.kill()

    def url(self, user: str) -> str:
        """By which a service connects."""
        return users.url_file(self.files, user).read_text()

    def client(self, user: str, *, timeout_s: float = 2.0) -> Redis:
        """A client of whichever is the primary, as impatient as that of a service unless told otherwise."""
        return queue.connect(self.url(user), timeout_s=timeout_s)

    def as_user(self, name: str, port: int) -> Redis:
        """A client of one server, or of one Sentinel, with the user of replicas, Sentinels or clients."""
        password = (self.files / sentinel_users.PASSWORDS / name / "password").read_text()
        return queue.connect(f"redis://{name}:{password}@127.0.0.1:{port}")

    def admin(self, port: int) -> Redis:
        """A client of one server, or of one Sentinel, that may do anything."""
        return queue.connect(f"redis://admin:any@127.0.0.1:{port}")

    def primary(self) -> int:
        """The port of the server that the Sentinels name, once they name one."""
        named: list[int] = []

        def is_named() -> bool:
            pool: Any = self.client("worker").connection_pool
            with suppress(RedisError):
                named.append(int(pool.get_master_address()[1]))
            return bool(named)

        until(is_named, 60, "the Sentinels name a primary", self.sentinels[0].log_file)
        return named[0]

    @property
    def primary_node(self) -> Node:
        return self.nodes[self.primary()]

    @property
    def replicas(self) -> list[Node]:
        """The others."""
        primary = self.primary()
        return [node for port, node in self.nodes.items() if port != primary]

    def is_replica(self, port: int) -> bool:
        """Whether this server says so; False while it does not answer."""
        with suppress(RedisError):
            info: dict[str, Any] = self.admin(port).info("replication")
            return bool(info["role"] == "slave")
        return False

    def fail_over(self) -> None:
        """Have the Sentinels replace the primary, though nothing is wrong with it."""
        self.admin(self.sentinel_ports[0]).execute_command("SENTINEL", "FAILOVER", NAME)  # type: ignore[no-untyped-call]

    def denied(self, port: int) -> list[str]:
        """What a server refused to anybody since its start."""
        return [f"{one['username']}: {one['object']}" for one in self.admin(port).acl_log()]

    def wait_replicated(self) -> None:
        """Until as many replicas as there are have what is written on disk."""
        until(self._replicates, 30, "replicas have it on disk")

    def _replicates(self) -> bool:
        with suppress(RedisError):
            port = self.ports[0] if not self._is_watched() else self.primary()
            with replication.pipeline(self.admin(port), 2, transaction=False) as pipeline:
                pipeline.incr("fizzbuzz:test")
                return bool(pipeline.execute())
        return False

    def _is_watched(self) -> bool:
        with suppress(RedisError):
            pool: Any = self.client("worker").connection_pool
            return all_know_all(pool.sentinel_manager.sentinels)
        return False


def keep_users(files: Path, group: Group) -> None:
    """The files of all users of a group, and the test's own user in each server and Sentinel."""
    sentinel_users.keep(files, group)
    for acl in (users.SERVER, sentinel_users.SENTINEL_FOLDER / "users.acl"):
        (files / acl).write_text((files / acl).read_text() + ADMIN)


def all_know_all(sentinels: Iterable[Any]) -> bool:
    """Whether each of three Sentinels knows both replicas and both other Sentinels. Raises RedisError."""
    states = [one.sentinel_masters()[NAME] for one in sentinels]
    return all((one["num-slaves"], one["num-other-sentinels"]) == (2, 2) for one in states)


def _server(folder: Path, port: int, acl: Path, options: dict[str, str], replication_conf: Path) -> Node:
    folder.mkdir()
    conf = folder.parent / f"{folder.name}.conf"  # as a config file, since Sentinel has it rewritten
    lines = {"port": str(port), "dir": str(folder), "aclfile": str(acl), **options}
    text = "".join(f'{name} "{value}"\n' for name, value in lines.items())
    conf.write_text(replication_conf.read_text() + text)
    return Node(folder, executable(), str(conf))


def _sentinel(folder: Path, port: int, files: Path) -> Node:
    folder.mkdir()
    given = (files / sentinel_users.SENTINEL_FOLDER / "sentinel.conf").read_text()
    acl = files / sentinel_users.SENTINEL_FOLDER / "users.acl"
    conf = folder / "sentinel.conf"
    conf.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\naclfile {acl}\n{given}")
    return Node(folder, executable(), str(conf), "--sentinel")


@contextmanager
def running(*, min_replicas: int = 0) -> Iterator[RedisGroup]:
    """A group that has started."""
    with tempfile.TemporaryDirectory(prefix="redis-group-") as folder:
        group = RedisGroup(Path(folder), min_replicas=min_replicas)
        try:
            group.start()
            yield group
        finally:
            group.stop()
