"""A real Redis server for tests, set up as the product sets up its own."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis, RedisError

from launcher.local import redis_server
from pipeline.queue import client as queue
from tests.support.child_process import ChildProcess
from tests.support.waiting import until

PATIENCE_S = 60


class RedisServer(ChildProcess):
    """A server on a Unix socket in ``directory``; its data outlives ``kill`` and ``start``."""

    def __init__(self, directory: Path, program: Path | None = None) -> None:
        self.url = f"unix://{directory}/redis.sock"
        self.patient_url = f"{self.url}?socket_timeout={PATIENCE_S}"
        """For a service that may wait for a frozen server for longer than the 2 s of its own clients."""
        command = [str(program or executable()), "--port", "0", "--unixsocket", str(directory / "redis.sock")]
        command += ["--dir", str(directory), "--save", "", "--appendonly", "yes"]
        super().__init__([*command, "--appendfsync", "always"], directory / "redis.log")

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        super().start(*options)
        until(self._answers, what="redis-server does not answer", log=self.log_file)

    def client(self) -> Redis:
        """Patient: on a busy machine an answer may take longer than a service would wait."""
        return queue.connect(self.url, timeout_s=PATIENCE_S)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except (RedisError, OSError):
            return False


@contextmanager
def running(program: Path | None = None) -> Iterator[RedisServer]:
    """A server in a directory of its own, which is gone afterwards; it may be frozen by then.

    Not pytest's directory: the path of a Unix socket may have at most 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory), program)
        try:
            server.start()
            yield server
        finally:
            server.thaw()
            server.kill()


def executable() -> str:
    """The one that a system of this environment would run."""
    return str(redis_server.find(Path(sys.executable)).path)
