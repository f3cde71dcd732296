"""A real web service for tests, as its own process, and a feeder that fills its database."""

import http.client
import json
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.clock import NS_PER_MS
from pipeline.store import StoreUnavailable
from pipeline.store.sqlite import SqliteStore
from tests.support.bare_environment import bare
from tests.support.batches import batch
from tests.support.child_process import PATIENCE_S, ChildProcess
from tests.support.ports import free_port
from tests.support.processes import children_of
from tests.support.waiting import until


class WebService:
    """``python -m web`` on a port of its own, reading the SQLite file in ``directory / "data"``.

    ``environ`` adds to its settings, e.g. for another database.
    """

    def __init__(self, directory: Path, redis_url: str, **environ: str) -> None:
        self.directory = directory
        self.redis_url = redis_url
        self.data = directory / "data"
        self.database = self.data / "messages.db"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/fizzbuzz/"
        self._environ = {
            **bare(),
            "FIZZBUZZ_WEB_PORT": str(self.port),
            "FIZZBUZZ_SQLITE_PATH": str(self.database),
            "FIZZBUZZ_PART": "web",
            "REDIS_URL": redis_url,
            **environ,
        }
        ca = environ.get("FIZZBUZZ_TLS_CA")
        self.tls: ssl.SSLContext | None = ssl.create_default_context(cafile=ca) if ca else None
        """What it is asked with by https."""
        self.process: ChildProcess | None = None
        self.files: int | None = None
        """How many files it may have open, where that is limited."""

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.begin()
        until(self.ready, what="the web service is not ready")

    def begin(self) -> None:
        """Start it without waiting."""
        command = [*self._limited(), sys.executable, "-m", "web"]
        self.process = ChildProcess(command, self.directory / "web.log", self._environ)
        self.process.start()

    def _limited(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {self.files}; exec "$@"', "sh"] if self.files else []

    def stop(self) -> int:
        """End it with SIGTERM; its exit status."""
        assert self.process
        return self.process.stop()

    def kill(self) -> None:
        """End all its processes at once (SIGKILL)."""
        assert self.process
        for pid in {self.process.pid, *self.workers()}:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        """The processes that serve: of several, those that the first one has started."""
        assert self.process
        return children_of(self.process.pid) or [self.process.pid]

    def log(self) -> str:
        return (self.directory / "web.log").read_text()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body."""
        connection = self.connect(self.port, PATIENCE_S)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stats(self) -> dict[str, Any]:
        status, body = self.get("/fizzbuzz/stats")
        assert status == 200
        return dict(json.loads(body))

    def events(
        self, last_id: str | None = None, path: str = "/fizzbuzz/stream", port: int = 0, **headers: str
    ) -> Generator[dict[str, str], None, None]:
        """The events of a stream until it ends, each with its fields.

        ``port``: that of a proxy before it.
        """
        connection = self.connect(port or self.port, PATIENCE_S)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=sent | ({"Last-Event-ID": last_id} if last_id else {}))
        fields: dict[str, str] = {}
        try:
            for line in connection.getresponse():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name and not line.startswith(b":"):
                    fields[name] = value
                elif fields:
                    yield fields
                    fields = {}
        finally:
            connection.close()

    def logged_events(self) -> list[str]:
        """The texts of the event log."""
        events = self.events(path="/fizzbuzz/stream?detail=1")
        detail = next(event for event in events if event["event"] == "detail")
        return [event["text"] for event in json.loads(detail["data"])["events"]]

    def connect(self, port: int, timeout_s: float) -> http.client.HTTPConnection:
        """A connection to the page; close it."""
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout_s, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False


class Feeder:
    """Writes ten messages a second into a database, as a worker does, until it is stopped."""

    def __init__(self, path: Path, *, run: str = "run-1", transmission_ms: float = 3.0) -> None:
        self._store = SqliteStore(path)
        self._run = run
        self._next = 0
        self.transmission_ms = transmission_ms
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    @property
    def highest(self) -> int:
        """The highest number written."""
        return self._next - 1

    def start(self) -> None:
        self.feed()
        self._thread.start()

    def feed(self) -> None:
        """Write ten messages now."""
        numbers = range(self._next, self._next + 10)
        now_ns = time.time_ns() - 5 * NS_PER_MS
        self._store.write([batch(numbers, run=self._run, at_ns=now_ns, transmission_ms=self.transmission_ms)])
        self._next += 10

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._store.close()

    def _feed(self) -> None:
        while not self._stopped.wait(1.0):
            try:
                self.feed()
            except StoreUnavailable:
                continue  # as a worker: the same messages again, a moment later


@dataclass(frozen=True)
class Site:
    """A web service and what fills its database."""

    web: WebService
    feeder: Feeder


@contextmanager
def started(directory: Path, redis_url: str, **environ: str) -> Iterator[Site]:
    """A site that is up, and gone afterwards."""
    site = Site(web := WebService(directory, redis_url, **environ), Feeder(web.database))
    try:
        site.feeder.start()
        web.start()
        yield site
    finally:
        site.feeder.stop()
        if web.process and web.process.runs:
            web.stop()
