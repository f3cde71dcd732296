"""Servers that tests of several folders share, each started once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests import influxdb
from tests.influxdb import InfluxServer
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    server = influxdb.start(tmp_path_factory.mktemp("influxdb"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    # Not pytest's folder: the path of a Unix socket may have 107 bytes at the most.
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def redis(shared_redis: RedisServer) -> Redis:
    """A client of an empty Redis that tests share."""
    client = shared_redis.client()
    client.flushall()
    return client


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, to kill and to freeze."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.thaw()
        server.kill()
