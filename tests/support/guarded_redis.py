"""A Redis with the users of the system, run as the system runs its own."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis, RedisError
from redis.exceptions import AuthenticationError

from launcher.local import redis_server
from launcher.local.redis_server import Program
from pipeline.queue import client as queue
from pipeline.queue import users
from tests.support.child_process import ChildProcess
from tests.support.redis_server import PATIENCE_S
from tests.support.waiting import until

ADMIN = "user admin on nopass ~* &* +@all\n"
"""For the test itself; the system has no such user."""


class GuardedRedis:
    """A server in ``folder``; its data outlives ``kill`` and ``start``."""

    def __init__(self, folder: Path, program: Program) -> None:
        self._folder = folder
        self._program = program
        self.address = f"unix://{folder}/redis.sock"
        self._process: ChildProcess | None = None

    @property
    def version(self) -> tuple[int, int]:
        return redis_server.parse(self._program.version)

    def start(self) -> None:
        users.keep(self._folder, self.address, version=self.version)
        file = self._folder / users.SERVER
        file.write_text(file.read_text() + ADMIN)
        self.start_without_users(file)

    def start_without_users(self, file: Path | None = None) -> None:
        socket = self._folder / "redis.sock"
        command = redis_server.argv(self._program.path, self._folder, socket, 100_000_000, file)
        self._process = ChildProcess(command, self._folder / "redis.log")
        self._process.start()
        until(self._answers, what="Redis does not answer", log=self._process.log_file)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process:
            self._process.kill()

    def url(self, user: str) -> str:
        return users.url_file(self._folder, user).read_text()

    def client(self, user: str) -> Redis:
        return queue.connect(self.url(user), timeout_s=PATIENCE_S)

    def stranger(self) -> Redis:
        """A client without a user."""
        return queue.connect(self.address, timeout_s=PATIENCE_S)

    def admin(self) -> Redis:
        return queue.connect(self.address.replace("://", "://admin:any@"), timeout_s=PATIENCE_S)

    def denied(self) -> list[str]:
        """What Redis refused to anybody since the start.

        Except for CLIENT SETINFO, by which redis-py sends its own version: Redis 6.2 has no such command.
        """
        denials = self.admin().acl_log()
        return [f"{one['username']}: {one['object']}" for one in denials if one["object"] != "client"]

    def _answers(self) -> bool:
        """Whether it has read its data; an error says that too, except that it still reads (LOADING)."""
        with suppress(RedisError, OSError):
            try:
                return bool(self.stranger().ping())
            except AuthenticationError:
                return bool(self.admin().ping())
        return False


def programs() -> list[Program]:
    """Every redis-server of this machine, the newest first."""
    python = Path(sys.executable)
    found = [
        one for one in redis_server.all_of(python) if redis_server.parse(one.version) >= redis_server.OLDEST
    ]
    return sorted(found, key=lambda one: redis_server.parse(one.version), reverse=True)


@contextmanager
def running(program: Program) -> Iterator[GuardedRedis]:
    """A server of its own, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        server = GuardedRedis(Path(folder), program)
        try:
            server.start()
            yield server
        finally:
            server.kill()
