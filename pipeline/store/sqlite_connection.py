"""A connection of the SQLite store, and whether the files that it has open are still at their path.

A file may be moved and moved back, be deleted, or be replaced by a backup while this runs. SQLite itself
would keep using the files that it has open, and lose messages.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process's write."""


class FileGone(OSError):
    """The database file is gone or was replaced; the text says so without its path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.strerror = reason


@dataclass(frozen=True, slots=True)
class _Files:
    """What is at the path and beside it."""

    database: tuple[int, int]
    """Device and inode."""
    content: tuple[int, int]
    """Size and modification time. Only a checkpoint or another program writes it."""
    log: int | None
    """The inode of ``-wal``, which holds what was committed last, until a checkpoint."""
    index: int | None
    """The inode of ``-shm``. It and the log stay the same while any process has the database open."""


class SqliteConnection:
    """A connection to the database at ``path``, which it creates only if ``create``.

    Raises:
        OSError, sqlite3.Error: it can't be opened.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = str(path)
        uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        self.sql = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            if create:
                self.sql.execute("PRAGMA journal_mode = WAL")  # the file keeps it
            self.sql.execute("PRAGMA synchronous = FULL")
            self.sql.execute("SELECT 1 FROM sqlite_master").fetchone()  # opens log and index
            self._files = _files_at(self._path)
        except BaseException:
            self.sql.close()
            raise

    def is_current(self) -> bool:
        """Whether its files are those at the path now. If not, close it and open those.

        Raises:
            OSError, sqlite3.Error: there is none, or data that only this connection has can't be saved.
        """
        found = _files_at(self._path)
        if found == self._files:
            return True
        is_same = found.database == self._files.database and found.content == self._files.content
        if found.log != self._files.log and is_same:
            self._save()
        elif found.log != self._files.log:
            self.sql.interrupt()  # restored: without this, close would move the old log into the new content
        return False

    def verify_commit(self) -> bool:
        """As ``is_current``, right after a commit: when it returns, the path has what was committed.

        Raises:
            OSError, sqlite3.Error: it has not; it must be written again.
        """
        found = _files_at(self._path)
        if found.database != self._files.database:
            raise FileGone("the file was replaced while it was written")
        if found.log != self._files.log:
            self._save()
            return False
        if found.index != self._files.index:
            raise FileGone(
                "its -shm file was replaced while it was written"
            )  # processes with the new one do not see the commit
        self._files = found
        return True

    def close(self) -> None:
        self.sql.close()

    def _save(self) -> None:
        """Move into the database the content of a log that was moved away or deleted without it.

        This empties the log, so that it does no harm if it is moved back.
        """
        busy, _, _ = self.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise FileGone("its -wal file is gone, and another program keeps it from being saved")


def _files_at(path: str) -> _Files:
    """The files at ``path``. Raises OSError where there is none. Takes some 5 µs."""
    found = os.stat(path)  # noqa: PTH116 # pathlib would double the cost, twice per write
    content = found.st_size, found.st_mtime_ns
    return _Files((found.st_dev, found.st_ino), content, _inode(f"{path}-wal"), _inode(f"{path}-shm"))


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116
    except FileNotFoundError:
        return None
