"""Every store, by name: each test of this folder runs over all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.store import Store
from pipeline.store.influx import InfluxStore
from pipeline.store.sqlite import SqliteStore
from tests.support.influxdb import InfluxServer

Open = Callable[[], Store]
"""Opens the store once more, as another process would."""


@pytest.fixture(params=["sqlite", pytest.param("influxdb", marks=pytest.mark.influx)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens one and the same empty database, as often as called."""
    opened: list[Store] = []
    make = _sqlite(tmp_path) if request.param == "sqlite" else _influx(request)

    def open_one() -> Store:
        opened.append(make())
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def _sqlite(tmp_path: Path) -> Open:
    return lambda: SqliteStore(tmp_path / "messages.db")


def _influx(request: pytest.FixtureRequest) -> Open:
    server: InfluxServer = request.getfixturevalue("influx_server")
    settings = server.new_bucket()
    return lambda: InfluxStore(settings)


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()
