"""The verdict of a load rests on these rows: they are those that the store wrote, and of its run alone."""

from pathlib import Path

import pytest

from load.rows import influx, sqlite
from load.target import InfluxTarget, SqliteTarget
from pipeline.store import Store
from pipeline.store.influx import InfluxStore
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer

WRITTEN = [(0, NOON_NS), (1, NOON_NS + 1_000), (7, NOON_NS + 2_000)]


def write(store: Store) -> None:
    store.write([batch([0, 1, 7], run="load-1"), batch([3], run="load-10", at_ns=NOON_NS + 5)])
    store.close()


def test_they_are_read_from_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    write(SqliteStore(path))
    assert sorted(sqlite.rows(SqliteTarget(path), "load-1")) == WRITTEN


@pytest.mark.influx
def test_they_are_read_from_influxdb(influx_server: InfluxServer) -> None:
    settings = influx_server.new_bucket()
    write(InfluxStore(settings))
    target = InfluxTarget(settings.url, settings.token, settings.org, settings.bucket)
    assert sorted(influx.rows(target, "load-1")) == WRITTEN
