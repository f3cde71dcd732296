"""A real Chromium, and a real web service with a database that fills."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect

from pipeline.queue import client as queue
from tests.support.redis_server import PATIENCE_S, RedisServer
from tests.support.web_service import Site, started

expect.set_options(timeout=30_000)  # its own 5 s are too few on a busy machine for what is no promise
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
_databases = itertools.cycle(range(1, 16))


def own_database(server: RedisServer) -> str:
    """The address of an empty database of the server: each site has a ledger of its own."""
    url = f"{server.url}?db={next(_databases)}"
    queue.connect(url, timeout_s=PATIENCE_S).flushdb()
    return url


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory, shared_redis: RedisServer) -> Iterator[Site]:
    """One for all tests that change nothing."""
    with started(tmp_path_factory.mktemp("site"), own_database(shared_redis)) as site:
        yield site


@pytest.fixture
def site(tmp_path: Path, shared_redis: RedisServer) -> Iterator[Site]:
    """One of the test's own, to break."""
    with started(tmp_path, own_database(shared_redis)) as site:
        yield site


class Tabs:
    """Opens pages and keeps what they complain about."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints: list[str] = []

    def open(self, some: str = "", handle: Callable[[Route], None] = Route.continue_) -> Page:
        """A page; ``handle`` is asked about what its requests for ``some`` addresses become."""
        page = self.context.new_page()
        if some:
            page.route(some, handle)
        page.on("console", lambda message: self._record(message.type, message.text, message.location["url"]))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._load(page)
        return page

    def _load(self, page: Page) -> None:
        """Load the page, again where Chromium dropped a request because the machine's network changed.

        It drops what is under way when an interface comes or goes: each container of another test has one.
        """
        failures: list[str] = []
        page.on("requestfailed", lambda request: failures.append(request.failure or ""))
        while True:
            failures.clear()
            try:
                page.goto(self.url)
            except Error as error:
                if NETWORK_CHANGED not in str(error):
                    raise
            else:
                if NETWORK_CHANGED not in failures:
                    return

    def _record(self, kind: str, text: str, url: str) -> None:
        # While the service is stopped a browser says so by itself, and no script can keep it from that.
        is_stream = "net::ERR_" in text and url.partition("?")[0].endswith("/stream")
        if kind in ("error", "warning") and not is_stream and NETWORK_CHANGED not in text:
            self.complaints.append(f"{text} ({url})")


@contextmanager
def _tabs(browser: Browser, site: Site) -> Iterator[Tabs]:
    context = browser.new_context()
    tabs = Tabs(context, site.web.url)
    yield tabs
    context.close()
    assert tabs.complaints == []


@pytest.fixture
def tabs(browser: Browser, site: Site) -> Iterator[Tabs]:
    """Tabs on ``site``. Whatever a test does, no page may complain."""
    with _tabs(browser, site) as tabs:
        yield tabs


@pytest.fixture
def shared_tabs(browser: Browser, shared_site: Site) -> Iterator[Tabs]:
    """Tabs on ``shared_site``. No page may complain."""
    with _tabs(browser, shared_site) as tabs:
        yield tabs
