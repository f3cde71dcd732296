"""How the service is put together."""

import threading

import pytest

from pipeline.settings import read
from pipeline.store import Totals, Window
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


def test_the_database_is_read_in_one_thread_that_serves_no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ThreadStore()
    monkeypatch.setattr(service, "open_store", lambda settings: store)
    poller = service.poll_store(read({}, "web"))
    for at_ns in range(3):
        poller.poll(StoreRequest(at_ns))
        poller.wait(5)
    assert len(store.threads) == 1
    assert threading.get_ident() not in store.threads
