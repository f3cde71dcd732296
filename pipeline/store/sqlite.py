"""The store in one SQLite file, which any SQLite client can read while the system runs."""

import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.message import Arrival, Batch, ClockOffset
from pipeline.store import sqlite_statements as sql
from pipeline.store import sqlite_window
from pipeline.store.base import MAX_EXAMINED, MessageRejected, Store, StoreUnavailable
from pipeline.store.figures import LATE_NS, NEWEST_RUNS, RunFigures, Totals, Window
from pipeline.store.sqlite_connection import SqliteConnection
from pipeline.store.sqlite_file import SqliteFile
from pipeline.store.written import StoredMessage, Written, WrittenBatch, job_of

_UNAVAILABLE = {
    sqlite3.SQLITE_ERROR,  # values are always bound, so this is about tables: they are missing or changed
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOTADB,
}
"""Primary result codes that concern the file, not a message (https://sqlite.org/rescode.html)."""

DELETED_AT_A_TIME = 10_000
"""Messages that one transaction of ``delete_run`` deletes: workers wait some 50 ms for it."""

log = logging.getLogger(__name__)


class SqliteStore(Store):
    """Messages in the SQLite file at ``path``. The first write ever creates it; reading never does.

    Write-ahead logging, so readers and the writer do not wait for each other, with an fsync at each
    commit (``synchronous=FULL``): what ``write`` stored survives a loss of power.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = SqliteFile(path)
        self._logged: str | None = None  # the reason that was logged last

    def write(self, batches: Sequence[Batch]) -> Written:
        with self._guarded():
            connection = self._file.to_write()
            with _rejecting_values(), sql.transaction(connection.sql):
                written = {batch.id: _add_batch(connection.sql, batch) for batch in batches}
            self._file.verify_commit(connection)
        return written

    def record_stored(self, batch_ids: Collection[str], stored_ns: int) -> None:
        with self._guarded():
            connection = self._file.to_write()
            with sql.without_fsync(connection.sql), sql.transaction(connection.sql):
                connection.sql.executemany(sql.RECORD_STORED, [(stored_ns, job) for job in batch_ids])

    def totals(self, *, recount: bool = False) -> Totals:
        """The database itself keeps them, so nothing needs to be counted again."""
        with self._reading() as found:
            if found is None:
                return Totals(0, None, None, ())
            stored, highest, last_arrived_ns, highest_run = found.sql.execute(sql.TOTAL).fetchone()
            runs = tuple(_runs(found.sql, sql.NEWEST_RUNS, NEWEST_RUNS))
            active = next(_runs(found.sql, sql.LAST_STORED, 1), None)
            leading = next(_runs(found.sql, sql.LEADING_RUN), None)
        return Totals(stored, highest, last_arrived_ns, runs, active, leading, highest_run)

    def run(self, name: str) -> RunFigures | None:
        with self._reading() as found:
            return next(_runs(found.sql, sql.ONE_RUN, name), None) if found else None

    def window(self, after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset] | None = None) -> Window:
        with self._reading() as found:
            return sqlite_window.read(found.sql, after_ns, until_ns, clocks or {}) if found else Window(0)

    def holes(self, run: str, limit: int) -> Sequence[tuple[int, int]]:
        wanted = {"run": run, "examined": MAX_EXAMINED, "limit": limit}
        with self._reading() as found:
            return found.sql.execute(sql.HOLES, wanted).fetchall() if found else []

    def message(self, run: str, number: int) -> StoredMessage | None:
        with self._reading() as found:
            row = found.sql.execute(sql.MESSAGE, (run, number)).fetchone() if found else None
        return _stored_message(*row) if row else None

    def runs(self, limit: int) -> Sequence[RunFigures]:
        with self._reading() as found:
            rows = found.sql.execute(sql.LAST_STORED, (limit,)).fetchall() if found else []
        return sorted((RunFigures(*row) for row in rows), key=lambda run: -run.last_arrived_ns)

    def delete_run(self, run: str) -> Iterator[int]:
        batches: set[int] = set()
        deleted = DELETED_AT_A_TIME
        while deleted == DELETED_AT_A_TIME:
            with self._guarded():
                connection = self._file.to_write()
                with sql.transaction(connection.sql):
                    deleted = _delete_messages(connection.sql, run, batches)
                self._file.verify_commit(connection)
            yield deleted
        with self._guarded():
            _delete_empty(self._file.to_write().sql, batches)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _reading(self) -> Iterator[SqliteConnection | None]:
        """A consistent snapshot of the database to read from; None where there never was a database."""
        with self._guarded():
            found = self._file.to_read()
            if found:
                found.sql.execute("BEGIN")
            try:
                yield found
            finally:
                if found and found.sql.in_transaction:
                    found.sql.execute("ROLLBACK")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn errors of the file into StoreUnavailable."""
        try:
            yield
        except (sqlite3.Error, sql.NotOurs, OSError) as error:
            self.close()  # a file that was replaced or repaired is opened again
            reason = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
            if reason != self._logged:
                log.warning("SQLite database %s: %s", self._path, reason)
            self._logged = reason
            raise StoreUnavailable(f"SQLite database: {reason}") from error
        self._logged = None


@contextmanager
def _rejecting_values() -> Iterator[None]:
    """Turn values that SQLite, or its driver, can't store into MessageRejected."""
    try:
        yield
    except sqlite3.Error as error:
        if _primary_code(error) in _UNAVAILABLE:
            raise
        raise MessageRejected(f"SQLite: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise MessageRejected(f"SQLite: {error}") from error


def _runs(connection: sqlite3.Connection, query: str, *parameters: int | str) -> Iterator[RunFigures]:
    return (RunFigures(*row) for row in connection.execute(query, parameters))


def _primary_code(error: sqlite3.Error) -> int | None:
    """None where the driver itself raised it, before SQLite was called."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _add_batch(connection: sqlite3.Connection, batch: Batch) -> WrittenBatch:
    row = (batch.id, batch.consumer, batch.worker, batch.queued_ns, batch.taken_ns)
    connection.execute(sql.ADD_BATCH, row)
    (batch_id,) = connection.execute("SELECT id FROM batch WHERE job = ?", (batch.id,)).fetchone()
    written = WrittenBatch({}, {})
    for run, arrivals in batch.by_run().items():
        added, repeats = _add(connection, run, arrivals, batch_id, job_of(batch.id))
        written.added.update({run: added} if added else {})
        written.repeats.update({run: repeats} if repeats else {})
    return written


def _add(
    connection: sqlite3.Connection, run: str, arrivals: Sequence[Arrival], batch_id: int, job: str
) -> tuple[int, int]:
    """Add the messages of one run that are not there yet, and count those in the run's figures.

    Returns how many were added, and how many are there from another job.
    """
    rows = [_row(arrival, batch_id) for arrival in arrivals]
    added: Sequence[Arrival] = arrivals
    known: set[int] = set()
    if not sql.add_all(connection, rows):
        new = [bool(connection.execute(sql.ADD_MESSAGE, row).rowcount) for row in rows]
        added = [arrival for arrival, is_new in zip(arrivals, new, strict=True) if is_new]
        known = {arrival.message.number for arrival, is_new in zip(arrivals, new, strict=True) if not is_new}
    if added:
        moments = [arrival.arrived_ns for arrival in added]
        highest = max(arrival.message.number for arrival in added)
        late = sum(arrival.transmission_ns > LATE_NS for arrival in added)
        connection.execute(sql.ADD_TO_RUN, (run, len(added), highest, min(moments), max(moments), late))
    return len(added), sum(_is_from_another(connection, run, number, job) for number in known)


def _stored_message(*columns: Any) -> StoredMessage:
    message = StoredMessage(*columns)
    return replace(message, job=message.job and job_of(message.job))


def _is_from_another(connection: sqlite3.Connection, run: str, number: int, job: str) -> bool:
    found = connection.execute(sql.JOB_OF_MESSAGE, (run, number)).fetchone()
    return found is not None and job_of(found[0]) != job


def _delete_messages(connection: sqlite3.Connection, run: str, batches: set[int]) -> int:
    """Delete some messages of a run, and the run with its last one; adds their batches to ``batches``."""
    some = (run, DELETED_AT_A_TIME)
    batches.update(batch for (batch,) in connection.execute(sql.BATCHES_OF_MESSAGES, some))
    deleted = connection.execute(sql.DELETE_MESSAGES, some).rowcount
    if deleted < DELETED_AT_A_TIME:
        connection.execute(sql.DELETE_RUN, (run,))
    return deleted


def _delete_empty(connection: sqlite3.Connection, batches: set[int]) -> None:
    """Delete those of ``batches`` that hold no message any more."""
    used = connection.execute("SELECT DISTINCT batch FROM message")
    empty = sorted(batches.difference(batch for (batch,) in used))
    for start in range(0, len(empty), DELETED_AT_A_TIME):
        with sql.transaction(connection):
            some = empty[start : start + DELETED_AT_A_TIME]
            connection.executemany("DELETE FROM batch WHERE id = ?", [(batch,) for batch in some])


def _row(arrival: Arrival, batch_id: int) -> tuple[object, ...]:
    """The message as a row of its table. Raises TypeError where SQLite would store another type."""
    message = arrival.message
    if not (type(message.number) is type(message.sent_ns) is type(arrival.arrived_ns) is int):
        raise TypeError("number, sent_ns and arrived_ns must be integers")
    if type(message.run) is not str:
        raise TypeError("run must be a string")
    return (message.run, message.number, message.sent_ns, arrival.arrived_ns, message.gateway_ns, batch_id)
