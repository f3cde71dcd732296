"""The tables of the SQLite store, and its statements."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

VERSION = 3
"""Kept in the file as ``user_version``. Version 1, which had no ``total``, kept 0."""

# `run` could be computed from `message`, and `total` from `run`; they are kept so that reading totals costs
# the same at any size. Both change in the transaction that stores the messages, and count only rows that were
# added; a row that somebody deletes by hand is subtracted again, so that its loss is noticed. A run's
# revision rises with each change: the highest belongs to the run of the last stored message.
SCHEMA = """
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
CREATE INDEX IF NOT EXISTS run_by_first_arrival ON run (first_arrived_ns);
CREATE INDEX IF NOT EXISTS run_by_highest ON run (highest);
CREATE INDEX IF NOT EXISTS filled_run_by_highest ON run (highest) WHERE 2 * stored > highest;
CREATE TABLE IF NOT EXISTS total (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    stored INTEGER NOT NULL,
    highest INTEGER,
    last_arrived_ns INTEGER
);
INSERT OR REPLACE INTO total SELECT 1, coalesce(sum(stored), 0), max(highest), max(last_arrived_ns) FROM run;
CREATE TRIGGER IF NOT EXISTS run_added AFTER INSERT ON run BEGIN
    UPDATE total SET
        stored = stored + NEW.stored,
        highest = max(coalesce(highest, NEW.highest), NEW.highest),
        last_arrived_ns = max(coalesce(last_arrived_ns, NEW.last_arrived_ns), NEW.last_arrived_ns);
END;
DROP TRIGGER IF EXISTS run_changed;
CREATE TRIGGER run_changed AFTER UPDATE ON run BEGIN
    UPDATE total SET
        stored = stored - OLD.stored + NEW.stored,
        highest = CASE WHEN NEW.highest < OLD.highest THEN (SELECT max(highest) FROM run)
                       ELSE max(highest, NEW.highest) END,
        last_arrived_ns = max(last_arrived_ns, NEW.last_arrived_ns);
END;
CREATE TRIGGER IF NOT EXISTS message_deleted AFTER DELETE ON message BEGIN
    UPDATE run SET
        stored = stored - 1,
        highest = CASE WHEN OLD.number < highest THEN highest
                       ELSE coalesce((SELECT max(number) FROM message WHERE run = OLD.run), 0) END,
        revision = (SELECT max(revision) + 1 FROM run)
    WHERE id = OLD.run;
    DELETE FROM run WHERE id = OLD.run AND stored <= 0;
END;
CREATE TRIGGER IF NOT EXISTS run_deleted AFTER DELETE ON run BEGIN
    UPDATE total SET
        stored = stored - OLD.stored,
        highest = (SELECT max(highest) FROM run),
        last_arrived_ns = (SELECT max(last_arrived_ns) FROM run);
END;
"""

# Not "OR IGNORE": that would also silently drop a row which lacks a value.
ADD_BATCH = "INSERT INTO batch VALUES (NULL, ?, ?, ?, ?, ?, NULL) ON CONFLICT (job) DO NOTHING"
ADD_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, number) DO NOTHING"

ADD_TO_RUN = """
INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, (SELECT coalesce(max(revision), 0) + 1 FROM run))
ON CONFLICT (id) DO UPDATE SET
    stored = stored + excluded.stored,
    highest = max(highest, excluded.highest),
    first_arrived_ns = min(first_arrived_ns, excluded.first_arrived_ns),
    last_arrived_ns = max(last_arrived_ns, excluded.last_arrived_ns),
    late = late + excluded.late,
    revision = excluded.revision
"""

# When batches were stored is not worth an fsync: the next commit brings it to disk.
RECORD_STORED = "UPDATE batch SET stored_ns = ? WHERE job = ? AND stored_ns IS NULL"

JOB_OF_MESSAGE = """
SELECT batch.job FROM message JOIN batch ON batch.id = message.batch WHERE run = ? AND number = ?
"""

MESSAGE = """
SELECT run, number, sent_ns, gateway_ns, arrived_ns, queued_ns, taken_ns, stored_ns, job, worker, consumer
FROM message LEFT JOIN batch ON batch.id = message.batch WHERE run = ? AND number = ?
"""

# The highest numbers that are stored, one more above them, and between each two what is missing.
HOLES = """
WITH examined AS (
    SELECT number FROM message WHERE run = :run ORDER BY number DESC LIMIT :examined
), bounds AS (
    SELECT number FROM examined
    UNION ALL SELECT -1 WHERE (SELECT count(*) FROM examined) BETWEEN 1 AND :examined - 1
), gaps AS (
    SELECT lead(number) OVER (ORDER BY number DESC) AS below, number FROM bounds
)
SELECT below + 1, number - 1 FROM gaps WHERE number - below > 1 ORDER BY number DESC LIMIT :limit
"""

BATCHES_OF_MESSAGES = """
SELECT DISTINCT batch FROM message WHERE rowid IN (SELECT rowid FROM message WHERE run = ? LIMIT ?)
"""
DELETE_MESSAGES = """
DELETE FROM message WHERE rowid IN (SELECT rowid FROM message WHERE run = ? LIMIT ?)
"""
DELETE_RUN = "DELETE FROM run WHERE id = ?"

_RUN = "SELECT id, stored, highest, first_arrived_ns, last_arrived_ns, late FROM run"
NEWEST_RUNS = f"{_RUN} ORDER BY first_arrived_ns DESC LIMIT ?"
TOTAL = """
SELECT stored, total.highest, last_arrived_ns, (SELECT id FROM run WHERE run.highest = total.highest LIMIT 1)
FROM total
"""
LAST_STORED = f"{_RUN} ORDER BY revision DESC LIMIT ?"
LEADING_RUN = f"{_RUN} WHERE 2 * stored > highest ORDER BY highest DESC LIMIT 1"
ONE_RUN = f"{_RUN} WHERE id = ?"


class NotOurs(Exception):
    """The file is a database, but not one of this pipeline."""


def ensure(connection: sqlite3.Connection, *, create: bool) -> None:
    """Upgrade the tables to ``VERSION``; create missing ones only if ``create``.

    All or nothing: another process sees either no table or all of them.

    Raises:
        NotOurs: there are none, and ``create`` is False.
    """
    if _version(connection) >= VERSION:
        return
    if not (create or connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'message'").fetchone()):
        raise NotOurs("it has no table of messages")
    with transaction(connection):
        if _version(connection) < VERSION:
            for statement in _statements():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")


def add_all(connection: sqlite3.Connection, messages: Sequence[Sequence[object]]) -> bool:
    """Add the rows of ``messages`` at once; False, and none is added, if one of them is there already."""
    if len(messages) == 1:
        return connection.execute(ADD_MESSAGE, messages[0]).rowcount == 1
    connection.execute("SAVEPOINT all_messages")
    complete = connection.executemany(ADD_MESSAGE, messages).rowcount == len(messages)
    if not complete:
        connection.execute("ROLLBACK TO all_messages")
    connection.execute("RELEASE all_messages")
    return complete


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is written in it, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # on some errors SQLite has already rolled back
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def without_fsync(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits in it are consistent at once, and durable with the next commit outside of it."""
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _statements() -> list[str]:
    """The schema, statement by statement: ``executescript`` would end the transaction that it runs in."""
    statements, pending = [], ""
    for line in SCHEMA.strip().splitlines():
        pending += f"{line}\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
