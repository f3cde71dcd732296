"""Three servers and three Sentinels as containers start them: by the scripts of ``deploy/redis``.

Each has an address of its own on the loopback, and there the port that it has in its container.
"""

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis, RedisError

from launcher.configuration import CHECKOUT
from pipeline.queue import client as queue
from pipeline.queue import replication, sentinel_users
from pipeline.queue.sentinel_users import Group
from tests.support.child_process import ChildProcess
from tests.support.redis_group import NAME, all_know_all, keep_users
from tests.support.redis_server import executable
from tests.support.waiting import until

SERVER_PORT, SENTINEL_PORT = 6379, 26379
_OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


class ScriptedGroup:
    """Its files are in ``folder``. The first of ``hosts`` begins as the primary."""

    def __init__(self, folder: Path) -> None:
        network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
        self.hosts = [f"{network}.{number}" for number in (1, 2, 3)]
        self.sentinel_hosts = [f"{network}.{number}" for number in (11, 12, 13)]
        self._kept = folder / "kept"
        self._kept.mkdir()
        sentinels = [(host, SENTINEL_PORT) for host in self.sentinel_hosts]
        keep_users(self._kept, Group(NAME, (self.hosts[0], SERVER_PORT), sentinels))
        self.servers = {host: self._server(folder / host, host) for host in self.hosts}
        self.sentinels = {host: self._sentinel(folder / host, host) for host in self.sentinel_hosts}

    def start(self) -> None:
        """Start all, and wait until replicas have what is written on disk and the Sentinels know them."""
        for one in self.everything:
            one.start()
        until(lambda: self.writes("fizzbuzz:first", replicas=2), 30, "both replicas have it on disk")
        until(self._is_watched, 30, "the Sentinels know all")

    @property
    def everything(self) -> Sequence[ChildProcess]:
        return (*self.servers.values(), *self.sentinels.values())

    def stop(self) -> None:
        for one in self.everything:
            one.kill()

    def admin(self, host: str) -> Redis:
        """A client of a server, or of a Sentinel, that may do anything."""
        port = SENTINEL_PORT if host in self.sentinel_hosts else SERVER_PORT
        return queue.connect(f"redis://admin:any@{host}:{port}")

    def role(self, host: str) -> str:
        """``master``, ``slave``, or nothing where it does not answer."""
        with suppress(RedisError):
            return str(self.admin(host).info("replication")["role"])
        return ""

    def writes(self, key: str, *, replicas: int = 1) -> bool:
        """Whether ``key``, written to the primary, is on the disks of so many replicas too."""
        host = next((host for host in self.hosts if self.role(host) == "master"), None)
        if host is None:
            return False
        with (
            suppress(RedisError),
            replication.pipeline(self.admin(host), replicas, transaction=False) as pipeline,
        ):
            pipeline.set(key, "1")
            return bool(pipeline.execute())
        return False

    def has(self, host: str, key: str) -> bool:
        with suppress(RedisError):
            return bool(self.admin(host).exists(key))
        return False

    def all_have(self, *keys: str) -> bool:
        return all(self.has(host, key) for host in self.hosts for key in keys)

    def follow(self, primary: str) -> bool:
        """Whether all other servers are its replicas, and each Sentinel names it."""
        others = [host for host in self.hosts if host != primary]
        return (
            self.role(primary) == "master"
            and all(self.role(host) == "slave" for host in others)
            and all(self.named(host) == primary for host in self.sentinel_hosts)
        )

    def named(self, sentinel: str) -> str:
        """The primary's host by one Sentinel; nothing where it does not answer."""
        with suppress(RedisError):
            words = ("SENTINEL", "get-master-addr-by-name", NAME)
            found: list[bytes] = self.admin(sentinel).execute_command(*words)  # type: ignore[no-untyped-call]
            return found[0].decode()
        return ""

    def _is_watched(self) -> bool:
        with suppress(RedisError):
            return all_know_all(map(self.admin, self.sentinel_hosts))
        return False

    def stop_sentinel(self, host: str) -> subprocess.Popen[bytes]:
        """What a container runs before this Sentinel ends."""
        folder = self.sentinels[host].log_file.parent
        script = ("sh", "-c", script_in(folder, "stop-sentinel.sh"), "stop-sentinel.sh")
        return subprocess.Popen(["timeout", "10", *script, host])

    def _server(self, folder: Path, host: str) -> ChildProcess:
        _mount(folder, {"users": self._kept / "server", "redis": self._kept / "launcher"})
        acl = folder / "secrets" / "users" / "users.acl"
        own = ("--bind", host, "--dir", str(folder / "data"), "--aclfile", str(acl))
        return _by_script(folder, "start-server.sh", host, *_OPTIONS, *own)

    def _sentinel(self, folder: Path, host: str) -> ChildProcess:
        _mount(folder, {"sentinel": self._kept / sentinel_users.SENTINEL_FOLDER})
        conf = folder / "secrets" / "sentinel" / "sentinel.conf"
        conf.write_text(f"{conf.read_text()}bind {host}\n")
        return _by_script(folder, "start-sentinel.sh", host)


def _mount(folder: Path, secrets: dict[str, Path]) -> None:
    for place in ("data", "tmp"):
        (folder / place).mkdir(parents=True)
    for name, source in secrets.items():
        shutil.copytree(source, folder / "secrets" / name)


def script_in(folder: Path, script: str) -> str:
    """The text of a script of ``deploy/redis``, with the paths of its container in ``folder``."""
    text = (CHECKOUT / "deploy" / "redis" / script).read_text()
    return re.sub(r"(?<!\w)/(secrets|data|tmp)\b", rf"{folder}/\1", text)


def _by_script(folder: Path, script: str, host: str, *options: str) -> ChildProcess:
    own = folder / script
    own.write_text(script_in(folder, script).replace("exec redis-server", f"exec {executable()}"))
    return ChildProcess(["sh", str(own), *options], folder / "log", {**os.environ, "SELF": host})


@contextmanager
def running() -> Iterator[ScriptedGroup]:
    """A group that has started."""
    with tempfile.TemporaryDirectory(prefix="redis-group-") as folder:
        group = ScriptedGroup(Path(folder))
        try:
            group.start()
            yield group
        finally:
            group.stop()
