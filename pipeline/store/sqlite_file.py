"""The file of the SQLite store: opened where it is, and created only where there never was one."""

import contextlib
import os
import sqlite3
from pathlib import Path

from pipeline.store import sqlite_statements
from pipeline.store.sqlite_connection import FileGone, SqliteConnection

_NOTICE = """\
{name} was created in this folder. While this file is here and {name} is not, the system waits for it to
reappear and creates no empty one in its place. To start with an empty database, delete this file too.
"""


class SqliteFile:
    """Connections to the database that is at ``path`` now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marker = path.with_name(f"{path.name}-created")
        self._connection: SqliteConnection | None = None
        self._seen = False  # whether this process had it open

    def to_read(self) -> SqliteConnection | None:
        """A connection to the existing database; None where there never was one. Creates none.

        Raises:
            OSError, sqlite3.Error, NotOurs: it can't be opened.
        """
        connection = self._current()
        if connection is None and (self._was_there() or self._has_content()):
            try:
                connection = self._open(create=False)
            except sqlite_statements.NotOurs:
                if self._was_there():
                    raise
                return None  # another process is creating the tables
        return connection

    def to_write(self) -> SqliteConnection:
        """A connection to the existing database, or to a new one where there never was one.

        Raises:
            OSError, sqlite3.Error, NotOurs: it can't be opened.
        """
        connection = self._current()
        if connection is None:
            connection = self._open(create=not self._was_there())
            self._mark()
        return connection

    def verify_commit(self, connection: SqliteConnection) -> None:
        """Call it after each commit (see ``SqliteConnection.verify_commit``)."""
        if not connection.verify_commit():
            self._drop()

    def close(self) -> None:
        """Close the connection; also after any error, so that the next call opens the file again."""
        with contextlib.suppress(OSError, sqlite3.Error):  # a file that is gone can't be saved
            self._current()
        self._drop()

    def _current(self) -> SqliteConnection | None:
        if self._connection and not self._connection.is_current():
            self._drop()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _was_there(self) -> bool:
        return self._seen or _exists(self._marker)

    def _has_content(self) -> bool:
        return _exists(self._path) and self._path.stat().st_size > 0

    def _open(self, *, create: bool) -> SqliteConnection:
        if create:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        elif self._path.stat().st_size == 0:
            raise FileGone("the file is empty")  # opening it would delete the -wal beside it
        connection = SqliteConnection(self._path, create=create)
        try:
            sqlite_statements.ensure(connection.sql, create=create)
        except BaseException:
            connection.close()
            raise
        self._connection, self._seen = connection, True
        return connection

    def _mark(self) -> None:
        """Record on disk that there is a database, before anything is stored in it."""
        if _exists(self._marker):
            return
        with self._marker.open("w") as marker:
            marker.write(_NOTICE.format(name=self._path.name))
            marker.flush()
            os.fsync(marker.fileno())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _exists(path: Path) -> bool:
    """Unlike ``Path.exists``, raises OSError if that can't be determined."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
