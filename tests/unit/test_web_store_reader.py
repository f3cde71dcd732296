"""What the service reads from the store, and when it has everything counted again."""

from threading import Thread

import pytest

from pipeline.store import StoreUnavailable, Totals, Window
from tests.support.waiting import until
from web.gate import Gate
from web.store_reader import StoreReader, StoreRequest


class FakeStore:
    """Records what it is asked; fails on request."""

    def __init__(self) -> None:
        self.recounts: list[bool] = []
        self.windows: list[tuple[int, int]] = []
        self.unavailable: set[str] = set()

    def totals(self, *, recount: bool) -> Totals:
        self.recounts.append(recount)
        self._fail("totals")
        return Totals(len(self.recounts), None, None, ())

    def window(self, after_ns: int, until_ns: int, clocks: object) -> Window:
        self._fail("window")
        self.windows.append((after_ns, until_ns))
        return Window(0)

    def _fail(self, call: str) -> None:
        if call in self.unavailable:
            raise StoreUnavailable("gone")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def reader(store: FakeStore) -> StoreReader:
    return StoreReader(store)  # type: ignore[arg-type]


def test_the_window_is_the_last_ten_seconds(store: FakeStore, reader: StoreReader) -> None:
    reader.read(StoreRequest(50_000_000_000))
    reader.read(StoreRequest(51_000_000_000))
    assert store.windows == [(40_000_000_000, 50_000_000_000), (41_000_000_000, 51_000_000_000)]
    assert store.recounts == [False, False]


def test_totals_wait_until_redis_has_been_read_and_the_window_does_not(
    store: FakeStore, reader: StoreReader
) -> None:
    queue_read = Gate()
    thread = Thread(target=reader.read, args=(StoreRequest(50_000_000_000, queue_read=queue_read),))
    thread.start()
    until(lambda: store.windows, what="the window is not read")
    thread.join(0.05)
    assert store.recounts == []
    queue_read.open()
    thread.join(5)
    assert store.recounts == [False]


@pytest.mark.parametrize(
    ("call", "recounts"), [("totals", [False, False, True, True, False]), ("window", [False, True, False])]
)
def test_a_database_that_was_unavailable_is_counted_again_because_it_may_be_another(
    store: FakeStore, reader: StoreReader, call: str, recounts: list[bool]
) -> None:
    reader.read(StoreRequest(0))
    store.unavailable = {call}
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            reader.read(StoreRequest(0))
    store.unavailable = set()
    reader.read(StoreRequest(0))
    reader.read(StoreRequest(0))
    assert store.recounts == recounts
