"""The messages of a run in a SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from load.rows.base import Unreadable
from load.target import SqliteTarget
from load.verdict import Row

BUSY_TIMEOUT_S = 5.0


def rows(target: SqliteTarget, run: str) -> Iterator[Row]:
    """The rows of ``run``, of one moment. Raises Unreadable."""
    uri = f"{target.path.absolute().as_uri()}?mode=ro"  # a file that is missing is not created
    query = "SELECT number, arrived_ns FROM message WHERE run = ?"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            for number, arrived_ns in connection.execute(query, (run,)):
                if type(number) is not int or type(arrived_ns) is not int:  # SQLite stores any type
                    raise Unreadable(f"{target.path}: a number or an arrival of the run is no integer")
                yield number, arrived_ns
    except (sqlite3.Error, OSError) as error:
        raise Unreadable(f"{target.path}: {error}") from error
