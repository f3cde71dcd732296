"""A real Redis server for tests, set up as the product sets up its own."""

import sys
from pathlib import Path

from redis import Redis, RedisError

from launcher.local import redis_server
from pipeline.queue import client as queue
from tests.support.child_process import ChildProcess
from tests.support.waiting import until


class RedisServer(ChildProcess):
    """A server on a Unix socket in ``directory``; its data outlives ``kill`` and ``start``."""

    def __init__(self, directory: Path, program: Path | None = None) -> None:
        self.url = f"unix://{directory}/redis.sock"
        command = [str(program or executable()), "--port", "0", "--unixsocket", str(directory / "redis.sock")]
        command += ["--dir", str(directory), "--save", "", "--appendonly", "yes"]
        super().__init__([*command, "--appendfsync", "always"], directory / "redis.log")

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        super().start(*options)
        until(self._answers, what="redis-server does not answer", log=self.log_file)

    def client(self) -> Redis:
        return queue.connect(self.url)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except (RedisError, OSError):
            return False


def executable() -> str:
    """The one that a system of this environment would run."""
    return str(redis_server.find(Path(sys.executable)).path)
