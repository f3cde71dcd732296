"""The store in one SQLite file, which any SQLite client can read while the system runs."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.clock import NS_PER_MS
from pipeline.message import Arrival, Batch
from pipeline.store.base import (
    LATE_NS,
    Cursor,
    MessageRejected,
    RunFigures,
    Store,
    StoreUnavailable,
    Window,
)
from pipeline.store.statistics import histogram, nearest_rank

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process's write."""

# `run` repeats what `message` could tell, so that reading totals costs the same at any size. It is
# kept in the transaction that stores the messages, and only counts rows that were really added; its
# revision rises with each change, so a reader can ask for what is new.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL UNIQUE,
    consumer TEXT NOT NULL,
    worker TEXT NOT NULL,
    queued_ns INTEGER NOT NULL,
    taken_ns INTEGER NOT NULL,
    stored_ns INTEGER
);
CREATE TABLE IF NOT EXISTS message (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    sent_ns INTEGER NOT NULL,
    arrived_ns INTEGER NOT NULL,
    gateway_ns INTEGER,
    batch INTEGER NOT NULL REFERENCES batch (id),
    PRIMARY KEY (run, number)
);
CREATE INDEX IF NOT EXISTS message_by_arrival ON message (arrived_ns);
CREATE TABLE IF NOT EXISTS run (
    id TEXT PRIMARY KEY,
    stored INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    first_arrived_ns INTEGER NOT NULL,
    last_arrived_ns INTEGER NOT NULL,
    late INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_by_revision ON run (revision);
"""

_ADD_MESSAGE = "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?)"

_ADD_TO_RUN = """
INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, (SELECT coalesce(max(revision), 0) + 1 FROM run))
ON CONFLICT (id) DO UPDATE SET
    stored = stored + excluded.stored,
    highest = max(highest, excluded.highest),
    first_arrived_ns = min(first_arrived_ns, excluded.first_arrived_ns),
    last_arrived_ns = max(last_arrived_ns, excluded.last_arrived_ns),
    late = late + excluded.late,
    revision = excluded.revision
"""

_CHANGED_RUNS = """
SELECT id, stored, highest, first_arrived_ns, last_arrived_ns, late, revision FROM run WHERE revision > ?
"""

_MEANS = """
SELECT count(*), avg(arrived_ns - sent_ns), avg(gateway_ns - sent_ns), avg(arrived_ns - gateway_ns),
       avg(taken_ns - arrived_ns), avg(stored_ns - taken_ns)
FROM message JOIN batch ON batch.id = message.batch
WHERE arrived_ns > ? AND arrived_ns <= ?
"""

_TRANSMISSIONS = """
SELECT arrived_ns - sent_ns AS transmission_ns FROM message
WHERE arrived_ns > ? AND arrived_ns <= ? ORDER BY transmission_ns
"""


class SqliteStore(Store):
    """Messages in the SQLite file at ``path``, made where it does not exist.

    Write-ahead logging, so readers and the writer do not wait for each other, with an fsync at each
    commit (``synchronous=FULL``): what ``write`` stored survives a loss of power.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._stored: tuple[int, list[str]] = (0, [])  # when the last write ended, and its batches

    def write(self, batches: Sequence[Batch]) -> None:
        with self._connected() as connection, _transaction(connection):
            self._note_stored(connection)
            for batch in batches:
                _add_batch(connection, batch)
        self._stored = (time.time_ns(), [batch.id for batch in batches])

    def changes(self, cursor: Cursor | None) -> tuple[Sequence[RunFigures], Cursor]:
        since = cursor if isinstance(cursor, int) else 0
        with self._connected() as connection:
            rows = connection.execute(_CHANGED_RUNS, (since,)).fetchall()
        return [RunFigures(*row[:-1]) for row in rows], max((row[-1] for row in rows), default=since)

    def window(self, after_ns: int, until_ns: int) -> Window:
        with self._connected() as connection:
            count, mean, *hops = connection.execute(_MEANS, (after_ns, until_ns)).fetchone()
            rows = connection.execute(_TRANSMISSIONS, (after_ns, until_ns)).fetchall()
        values = [ns / NS_PER_MS for (ns,) in rows]
        p50, p95, p99, most = (nearest_rank(values, share) for share in (0.50, 0.95, 0.99, 1.0))
        hops_ms = tuple(_ms(hop) for hop in hops)
        return Window(count, _ms(mean), p50, p95, p99, most, hops_ms, histogram(values))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except sqlite3.IntegrityError as error:
            raise MessageRejected(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            self.close()  # a file that was replaced or repaired is opened anew
            reason = error.strerror if isinstance(error, OSError) else error
            raise StoreUnavailable(f"SQLite database {self._path}: {reason}") from error

    def _open(self) -> sqlite3.Connection:
        """A connection to the file that lies at the path now.

        A file that was there and is gone is waited for. To go on writing into what was deleted, or to
        make it anew beside one that comes back, would lose messages.
        """
        if self._file and self._file != _identity(self._path):
            self.close()
        if self._connection is None:
            self._connection = _connect(self._path)
            self._file = _identity(self._path)
        return self._connection

    def _note_stored(self, connection: sqlite3.Connection) -> None:
        """When batches were stored is only known once they are, so the next write brings it."""
        stored_ns, jobs = self._stored
        rows = [(stored_ns, job) for job in jobs]
        connection.executemany("UPDATE batch SET stored_ns = ? WHERE job = ?", rows)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_SCHEMA)
    return connection


def _identity(path: Path) -> tuple[int, int]:
    """Which file lies at ``path``. Raises OSError where there is none."""
    found = path.stat()
    return found.st_dev, found.st_ino


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _add_batch(connection: sqlite3.Connection, batch: Batch) -> None:
    row = (batch.id, batch.consumer, batch.worker, batch.queued_ns, batch.taken_ns)
    connection.execute("INSERT OR IGNORE INTO batch VALUES (NULL, ?, ?, ?, ?, ?, NULL)", row)
    (batch_id,) = connection.execute("SELECT id FROM batch WHERE job = ?", (batch.id,)).fetchone()
    for run, arrivals in _by_run(batch.arrivals).items():
        _add(connection, run, arrivals, batch_id)


def _by_run(arrivals: Sequence[Arrival]) -> dict[str, list[Arrival]]:
    runs: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        runs[arrival.message.run].append(arrival)
    return runs


def _add(connection: sqlite3.Connection, run: str, arrivals: Sequence[Arrival], batch_id: int) -> None:
    """Add the messages of one run that are not there yet, and count those in the run's figures."""
    added = [a for a in arrivals if connection.execute(_ADD_MESSAGE, _row(a, batch_id)).rowcount]
    if added:
        moments = [arrival.arrived_ns for arrival in added]
        highest = max(arrival.message.number for arrival in added)
        late = sum(arrival.transmission_ns > LATE_NS for arrival in added)
        connection.execute(_ADD_TO_RUN, (run, len(added), highest, min(moments), max(moments), late))


def _row(arrival: Arrival, batch_id: int) -> tuple[object, ...]:
    message = arrival.message
    return (
        message.run,
        message.number,
        message.sent_ns,
        arrival.arrived_ns,
        message.gateway_ns,
        batch_id,
    )


def _ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS
