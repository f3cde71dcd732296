"""A system to measure, whichever it is, and what is in its database."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from bench.rivals.sending import send_one
from bench.rivals.waiting import until
from load.target import Target

READY_S = 30.0


class Site(Protocol):
    """A system that runs."""

    database: Path

    def start(self) -> None:
        """Returns once it accepts messages, or soon will."""

    def stop(self) -> None:
        """End all of its processes, also where it did not start."""

    @property
    def target(self) -> Target:
        """Where messages go, and where they are stored."""

    def kill_worker(self) -> None:
        """SIGKILL; it is started again soon, not by this call."""

    def kill_redis(self) -> None:
        """SIGKILL; it is started again soon, not by this call."""

    def keep_running(self) -> None:
        """Start again what ended; call it often."""

    def waiting(self) -> int | None:
        """Messages that the queue holds; None where it can't be asked."""

    def memory_mb(self) -> dict[str, float]:
        """PSS of its processes."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for a site; what a killed process still writes there is no error."""
    with tempfile.TemporaryDirectory(prefix="rivals-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """The site, once it has stored a message; stopped at the end, also where it did not start."""
    try:
        site.start()
        _until_stored(site)
        yield site
    finally:
        site.stop()


def _until_stored(site: Site) -> None:
    """Send messages until one is stored."""
    number = 0

    def stored() -> bool:
        nonlocal number
        if not stored_count(site.database, "first"):
            number += send_one(site.target.gateway_url, "first", number)
        return bool(stored_count(site.database, "first"))

    until(stored, READY_S, "no message was stored: see the logs", every_s=0.2)


def stored_count(path: Path, run: str) -> int:
    """Rows of a run."""
    return _count(path, "SELECT count(*) FROM message WHERE run = ?", run)


def executions(path: Path, run: str) -> int:
    """Attempts to store a message of a run, see ``database.count_executions``."""
    return _count(path, "SELECT count(*) FROM execution WHERE run = ?", run)


def _count(path: Path, query: str, run: str) -> int:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        ) as connection:
            return int(connection.execute(query, (run,)).fetchone()[0])
    except sqlite3.OperationalError:  # there is none yet
        return 0
