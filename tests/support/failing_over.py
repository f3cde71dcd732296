"""A pipeline of processes on a group of Redis servers, and loads that go on while one of these is lost."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.bare_environment import bare
from tests.support.child_process import PROJECT
from tests.support.gateway_process import Gateway
from tests.support.redis_group import RedisGroup
from tests.support.waiting import until
from tests.support.workers import WorkerProcess

REPLICAS = "FIZZBUZZ_REDIS_REPLICAS"


class Pipeline:
    """Gateway, consumer and worker, which store to SQLite in ``directory``."""

    def __init__(self, directory: Path, group: RedisGroup, replicas: int) -> None:
        self._directory = directory
        given = {REPLICAS: str(replicas)}
        self.gateway = Gateway(directory, group.url("consumer"), **given)
        self.gateway.start()
        self.worker = WorkerProcess(directory, group.url("worker"), **given)
        self._load: subprocess.Popen[str] | None = None
        until(lambda: self.worker.is_up, 20, "the worker has started")

    def load(self, rate: int, seconds: int) -> "subprocess.Popen[str]":
        """Start one; ``report`` has its result once it has ended."""
        words = ["--rate", str(rate), "--for", str(seconds), "--json", str(self._directory / "load.json")]
        environ = {
            **bare(),
            "FIZZBUZZ_GATEWAY_PORT": str(self.gateway.port),
            "FIZZBUZZ_STORE": "sqlite",
            "FIZZBUZZ_SQLITE_PATH": str(self._directory / "messages.db"),
        }
        command = [sys.executable, "-m", "load", *words]
        self._load = subprocess.Popen(
            command, cwd=PROJECT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self._load

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._directory / "load.json").read_text())
        return found

    def stop(self) -> None:
        if self._load:
            self._load.kill()
            self._load.communicate()
        self.gateway.stop()
        self.worker.kill()


@contextmanager
def running(directory: Path, group: RedisGroup, *, replicas: int) -> Iterator[Pipeline]:
    pipeline = Pipeline(directory, group, replicas)
    try:
        yield pipeline
    finally:
        pipeline.stop()
