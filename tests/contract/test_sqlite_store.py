"""What the SQLite store alone promises."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clock import NS_PER_S
from pipeline.store import WrittenBatch, sqlite, sqlite_statements
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import NOON_NS, batch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.db"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_a_message_that_another_job_brought_is_a_repeat(path: Path) -> None:
    store = SqliteStore(path)
    store.write([batch([0, 1, 2], job="first")])
    later = batch([1, 2, 3], at_ns=NOON_NS + NS_PER_S, job="second")
    assert store.write([later]) == {"second": WrittenBatch({"run-1": 1}, {"run-1": 2})}
    assert store.write([later]) == {"second": WrittenBatch({}, {"run-1": 2})}
    piece = replace(later, id="second.1", arrivals=later.arrivals[1:])
    assert store.write([piece]) == {"second.1": WrittenBatch({}, {"run-1": 1})}
    store.close()


def test_a_message_that_a_piece_of_the_same_job_brought_is_none(path: Path) -> None:
    store = SqliteStore(path)
    whole = batch([0, 1, 2, 2], job="job")
    store.write([replace(whole, id="job.0.1", arrivals=whole.arrivals[:2])])
    assert store.write([whole]) == {"job": WrittenBatch({"run-1": 1})}
    message = store.message("run-1", 0)
    assert message
    assert message.job == "job"
    store.close()


def test_when_a_batch_was_stored_is_recorded_once(path: Path) -> None:
    store = SqliteStore(path)
    store.write([batch([0], job="a"), batch([1], job="b", at_ns=NOON_NS + 1)])
    assert rows(path, "SELECT stored_ns FROM batch ORDER BY job") == [(None,), (None,)]
    store.record_stored(["a"], 5)
    store.record_stored(["a", "b"], 6)
    assert rows(path, "SELECT stored_ns FROM batch ORDER BY job") == [(5,), (6,)]
    store.close()


def test_only_the_commits_in_it_are_without_an_fsync(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")
        seen = []
        with sqlite_statements.without_fsync(database):
            seen += database.execute("PRAGMA synchronous").fetchone()
        seen += database.execute("PRAGMA synchronous").fetchone()
    assert seen == [1, 2]


def test_a_large_run_is_deleted_in_steps_with_its_batches(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "DELETED_AT_A_TIME", 4)
    store = SqliteStore(path)
    mixed = batch(range(10), run="gone", job="mixed")
    kept = batch([0], at_ns=NOON_NS + NS_PER_S).arrivals
    store.write([replace(mixed, arrivals=mixed.arrivals + kept)])
    store.write([batch([10, 11], run="gone", at_ns=NOON_NS + 2 * NS_PER_S, job="alone")])
    left = []
    deleted = []
    for count in store.delete_run("gone"):
        deleted.append(count)
        left.append(store.totals().stored)
    assert (deleted, left) == ([4, 4, 4, 0], [9, 5, 1, 1])
    assert rows(path, "SELECT job FROM batch") == [("mixed",)]
    assert rows(path, "SELECT run FROM message") == [("run-1",)]
    store.close()


def test_a_deletion_that_ended_half_way_is_finished_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "DELETED_AT_A_TIME", 4)
    store = SqliteStore(path)
    store.write([batch(range(10), run="gone")])
    assert next(store.delete_run("gone")) == 4
    assert [(run.run, run.stored) for run in store.runs(9)] == [("gone", 6)]
    assert sum(store.delete_run("gone")) == 6
    assert list(store.runs(9)) == []
    store.close()
