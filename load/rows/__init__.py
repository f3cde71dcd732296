"""Reads the messages of one run from the database of a running system, and changes nothing there."""

from collections.abc import Callable, Iterator

from load.rows import influx, sqlite
from load.rows.base import Unreadable
from load.target import InfluxTarget, Target
from load.verdict import Row

__all__ = ["ReadRows", "Unreadable", "reader"]

ReadRows = Callable[[str], Iterator[Row]]
"""All rows of a run, in any order. Raises Unreadable."""


def reader(target: Target) -> ReadRows:
    """How the rows of ``target`` are read."""
    database = target.database
    if isinstance(database, InfluxTarget):
        return lambda run: influx.rows(database, run)
    return lambda run: sqlite.rows(database, run)
