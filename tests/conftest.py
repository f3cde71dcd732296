"""Servers that tests of several folders share, each started once."""

from collections.abc import Iterator

import pytest

from tests import influxdb
from tests.influxdb import InfluxServer


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    server = influxdb.start(tmp_path_factory.mktemp("influxdb"))
    yield server
    server.stop()
