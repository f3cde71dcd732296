"""A SQLite store in a process of its own, as each service has one: SQLite shares much within a process."""

import multiprocessing
import os
import signal
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.message import Batch
from pipeline.store import Totals
from pipeline.store.sqlite import SqliteStore

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.store_process"])


class StoreProcess:
    """Calls what ``SqliteStore`` has, in another process; raises here what it raised there."""

    def __init__(self, path: Path) -> None:
        self._ours, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(path, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def write(self, batches: Iterable[Batch]) -> None:
        self._call("write", list(batches))

    def totals(self) -> Totals:
        return self._call("totals")  # type: ignore[no-any-return]

    def stop(self) -> None:
        """End it in good order. Safe to call twice."""
        if self._process.is_alive():
            self._call("close")
            self.kill()

    def kill(self) -> None:
        if self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.join(10)

    def _call(self, name: str, *arguments: Any) -> Any:
        self._ours.send((name, arguments))
        assert self._ours.poll(60), f"no answer to {name}"
        outcome = self._ours.recv()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _serve(path: Path, connection: Connection) -> None:
    store = SqliteStore(path)
    while True:
        name, arguments = connection.recv()
        try:
            connection.send(getattr(store, name)(*arguments))
        except Exception as error:  # noqa: BLE001 # raised again by the test
            connection.send(error)
