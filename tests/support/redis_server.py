"""A real Redis server for tests, set up as the product sets up its own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis, RedisError

from launcher.local import redis_server
from pipeline.queue import client as queue
from tests.support.freezing import freeze


class RedisServer:
    """A server on a Unix socket in ``directory``; its data outlives ``kill`` and ``start``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        command = [executable(), "--port", "0", "--unixsocket", str(self._directory / "redis.sock")]
        command += ["--dir", str(self._directory), "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "always", *options]
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)

    def client(self) -> Redis:
        return queue.connect(self.url)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait(10)

    def freeze(self) -> None:
        assert self._process
        freeze(self._process.pid)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:  # else it could not be started
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except (RedisError, OSError):
            return False


def executable() -> str:
    """The one that a system of this environment would run."""
    return str(redis_server.find(Path(sys.executable)).path)
