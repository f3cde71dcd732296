"""A rival as a whole system: front end, worker and Redis."""

import contextlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from redis import RedisError

from bench.rivals import database
from bench.rivals.place import Place
from bench.rivals.processes import Group, memory_mb
from bench.rivals.redis_process import RedisProcess
from bench.rivals.rival import Command, Rival
from load.target import SqliteTarget, Target
from tests.support.ports import free_port

RESTART_S = 1.0
"""After which what was killed is started again, as a supervisor would."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """How a rival is run."""

    server: str
    """See ``bench.rivals.front_end``."""
    threads: int
    processes: int
    workers: str
    """One of ``Rival.workers``."""
    appendfsync: str = "always"

    @property
    def key(self) -> str:
        """For the command line."""
        return f"{self.server}/{self.threads}/{self.processes}/{self.workers}"


def parse_set_up(text: str) -> SetUp:
    """A set-up in the form of ``SetUp.key``. Raises ValueError."""
    server, threads, processes, workers = text.split("/")
    return SetUp(server, int(threads), int(processes), workers)


class Part(Protocol):
    """What is started, killed and stopped on its own."""

    @property
    def pids(self) -> list[int]: ...

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class RivalSite:
    """A rival in ``directory``, with the program ``redis``."""

    def __init__(self, key: str, rival: Rival, set_up: SetUp, redis: Path, directory: Path) -> None:
        self._rival = rival
        self.redis = RedisProcess(redis, directory, set_up.appendfsync)
        self.database = directory / "messages.db"
        self._port = free_port()
        place = Place(self.redis.url, self.database, set_up.threads + 2)
        front_end: Command = (
            *("bench.rivals.front_end", key, "--port", str(self._port), "--server", set_up.server),
            *("--threads", str(set_up.threads), "--processes", str(set_up.processes)),
        )
        self._front_end = Group.python(front_end, directory / "front-end.log", place.environ())
        self._workers = [
            Group.python(words, directory / "worker.log", place.environ())
            for words in rival.workers[set_up.workers]
        ]
        self.parts: tuple[Part, ...] = (self._front_end, *self._workers, self.redis)
        self._restart_at_s: dict[int, float] = {}

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self._port}", "", "", SqliteTarget(self.database))

    def start(self) -> None:
        database.create(self.database)
        self.redis.start()
        self._front_end.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        for part in self.parts:
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.stop()

    def kill_worker(self) -> None:
        for worker in self._workers:
            worker.kill()

    def kill_redis(self) -> None:
        self.redis.kill()

    def keep_running(self) -> None:
        for index, part in enumerate(self.parts):
            if part.is_running:
                self._restart_at_s.pop(index, None)
            elif self._restart_at_s.setdefault(index, time.monotonic() + RESTART_S) <= time.monotonic():
                del self._restart_at_s[index]
                part.start()

    def waiting(self) -> int | None:
        try:
            with self.redis.client() as client:
                return self._rival.waiting(client)
        except (RedisError, OSError):
            return None

    def memory_mb(self) -> dict[str, float]:
        return {"total": memory_mb(pid for part in self.parts for pid in part.pids)}
