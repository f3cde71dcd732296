"""How the service is put together."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from pipeline.settings import read
from pipeline.store import Totals, Window
from tests.support.waiting import until
from tests.support.web_service import WebService
from web import service
from web.store_reader import StoreRequest


class ThreadStore:
    """Records which threads read it."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def totals(self, *, recount: bool) -> Totals:
        self.threads.add(threading.get_ident())
        return Totals(0, None, None, ())

    def window(self, after_ns: int, until_ns: int, clocks: object) -> Window:
        return Window(0)


def test_every_line_of_its_log_is_json_those_of_its_http_server_too(tmp_path: Path) -> None:
    web = WebService(tmp_path, redis_url="redis://127.0.0.1:1", FIZZBUZZ_WEB_PROCESSES="2")
    try:
        web.start()
        os.kill(web.workers()[0], signal.SIGKILL)
        until(lambda: "SIGKILL" in web.log(), what="the server does not say so")
    finally:
        web.stop()
    lines = [json.loads(line) for line in web.log().splitlines()]
    # on a busy machine a stop kills the next worker too
    assert {line["level"] for line in lines if "SIGKILL" in line["message"]} == {"error"}


def test_the_database_is_read_in_one_thread_that_serves_no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ThreadStore()
    monkeypatch.setattr(service, "open_store", lambda settings: store)
    poller = service.poll_store(read({}, "web"))
    for at_ns in range(3):
        poller.poll(StoreRequest(at_ns))
        poller.wait(5)
    assert len(store.threads) == 1
    assert threading.get_ident() not in store.threads
