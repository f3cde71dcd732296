"""Servers and a browser that tests of several folders share, each started once."""

import shutil
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from proto import build
from tests.support import influxdb, side_by_side, skips
from tests.support.influxdb import InfluxServer
from tests.support.redis_server import RedisServer, running

if TYPE_CHECKING:  # unit tests do without it
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = [
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Make the gRPC stubs where they are missing or old, also where an editor starts pytest."""
    build.build_if_stale()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped without being on the list has failed."""
    report = yield
    return skips.judge(report)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    side_by_side.in_order(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.Spread:
    return side_by_side.Spread(config, log)


@pytest.fixture(scope="session")
def patient_influx() -> Iterator[None]:
    """On a busy machine InfluxDB takes longer than a service waits for it."""
    from pipeline.store.influx import client, store  # not for unit tests: they do without it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "TIMEOUT_MS", 60_000)
        patch.setattr(store, "TIMINGS_TIMEOUT_MS", 60_000)
        yield


@pytest.fixture(scope="session")
def influx_server(patient_influx: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    server = influxdb.start(tmp_path_factory.mktemp("influxdb"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> Redis:
    """A client of an empty Redis that tests share."""
    client = shared_redis.client()
    client.flushall()
    return client


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, to kill and to freeze."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real one. It ends with its module, since while Playwright runs no test can start an event loop."""
    from playwright.sync_api import expect, sync_playwright

    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if not executable:
        pytest.skip(f"no Chromium: none of {', '.join(_NAMES)} is on PATH")
    expect.set_options(timeout=60_000)  # a busy machine takes longer than its 5 s
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_OPTIONS)
        yield chromium
        chromium.close()
