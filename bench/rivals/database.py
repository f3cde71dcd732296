"""The database of a rival: this system's schema and fsync, and a count of executions for the loss run."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.store import sqlite_statements as sql

Row = Sequence[object]
"""run, number, sent_ns, arrived_ns and gateway_ns, which survive every serializer."""

BUSY_TIMEOUT_S = 30.0
_COUNT_EXECUTIONS = """
CREATE TABLE IF NOT EXISTS execution (run TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS count_execution BEFORE INSERT ON message BEGIN
    INSERT INTO execution VALUES (NEW.run, NEW.number);
END;
"""


def create(path: Path) -> None:
    """Make the database with the tables of this system's store."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        sql.ensure(connection, create=True)


def count_executions(path: Path) -> None:
    """From now on record each attempt to store a message, also where its number is stored already.

    SQLite runs a trigger BEFORE INSERT also for a row that a conflict then leaves out, so whoever stores
    needs not be changed for it, and this system is counted as the rivals are.
    """
    with closing(connect(path)) as connection:
        connection.executescript(_COUNT_EXECUTIONS)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with an fsync at each commit, as this system's store has it."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Writer:
    """Stores messages, one transaction each; for all threads of a process, which wait here, not in SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def store(self, row: Row) -> None:
        """Returns once ``row`` is on disk. A row whose number is there already changes nothing."""
        run, number, sent_ns, arrived_ns, gateway_ns = row
        with self._lock:
            # Not before: a worker forks, and SQLite's connections do not survive that.
            self._connection = self._connection or connect(self._path)
            with sql.transaction(self._connection):
                self._connection.execute(sql.ADD_MESSAGE, (run, number, sent_ns, arrived_ns, gateway_ns, 0))
