"""The Redis of a rival: the program and the settings of this system's own, but for ``appendfsync``."""

from pathlib import Path

from redis import Redis, RedisError

from bench.rivals.processes import Group
from bench.rivals.waiting import until
from launcher.local import redis_server

MEMORY_BYTES = 512 * 2**20


class RedisProcess:
    """A server on a Unix socket in ``directory``; its data outlives ``kill`` and ``start``."""

    def __init__(self, program: Path, directory: Path, appendfsync: str) -> None:
        socket = directory / "redis.sock"
        self.url = f"unix://{socket}"
        command = redis_server.argv(program, directory, socket, MEMORY_BYTES)
        self._group = Group((*command, "--appendfsync", appendfsync), directory / "redis.log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._group.start()
        until(self._answers, 20, "redis-server does not answer")

    @property
    def pids(self) -> list[int]:
        return self._group.pids

    @property
    def is_running(self) -> bool:
        return self._group.is_running

    def kill(self) -> None:
        self._group.kill()

    def stop(self) -> None:
        self._group.stop()

    def client(self) -> "Redis":
        return Redis.from_url(self.url)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False
