"""A row that somebody deletes from SQLite by hand: the figures show that it is gone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.sqlite import SqliteStore
from tests.support.batches import NOON_NS, batch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    store.write([batch(range(10), run="a"), batch(range(5), run="b", at_ns=NOON_NS + 10**9)])
    yield store
    store.close()


def delete(path: Path, where: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"DELETE FROM message WHERE {where}")
    connection.close()


def test_its_run_and_the_total_have_one_message_less(path: Path, store: SqliteStore) -> None:
    delete(path, "run = 'a' AND number = 4")
    assert store.totals().stored == 14
    run = store.run("a")
    assert run is not None
    assert (run.stored, run.highest) == (9, 9)
    assert store.holes("a", 5) == [(4, 4)]


def test_the_highest_number_is_that_of_what_is_left(path: Path, store: SqliteStore) -> None:
    delete(path, "run = 'a' AND number > 6")
    totals = store.totals()
    assert (totals.stored, totals.highest) == (12, 6)
    store.write([batch([7], run="a")])
    assert store.totals().highest == 7


def test_a_run_without_any_message_is_gone(path: Path, store: SqliteStore) -> None:
    delete(path, "run = 'a'")
    totals = store.totals()
    assert (totals.stored, totals.highest, [run.run for run in totals.runs]) == (5, 4, ["b"])


def test_a_database_of_the_version_before_learns_it_at_the_next_write(path: Path, store: SqliteStore) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        for statement in (
            "DROP TRIGGER message_deleted",
            "DROP INDEX run_by_highest",
            "PRAGMA user_version = 2",
        ):
            connection.execute(statement)
    connection.close()
    store.write([batch([10], run="a")])
    delete(path, "run = 'a' AND number = 4")
    assert store.totals().stored == 15
