"""What the service asks of the store, and when it has everything counted again."""

import pytest

from pipeline.store import StoreUnavailable, Totals, Window
from web.database import Database


class FakeStore:
    """Notes what it is asked; fails when told to."""

    def __init__(self) -> None:
        self.recounts: list[bool] = []
        self.windows: list[tuple[int, int]] = []
        self.unavailable: set[str] = set()

    def totals(self, *, recount: bool) -> Totals:
        self.recounts.append(recount)
        self._fail("totals")
        return Totals(len(self.recounts), None, None, ())

    def window(self, after_ns: int, until_ns: int) -> Window:
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
def database(store: FakeStore) -> Database:
    return Database(store)  # type: ignore[arg-type]


def test_the_window_is_the_last_ten_seconds(store: FakeStore, database: Database) -> None:
    database.read(50_000_000_000)
    database.read(51_000_000_000)
    assert store.windows == [(40_000_000_000, 50_000_000_000), (41_000_000_000, 51_000_000_000)]
    assert store.recounts == [False, False]


@pytest.mark.parametrize("call", ["totals", "window"])
def test_a_database_that_was_unavailable_is_counted_again_because_it_may_be_another(
    store: FakeStore, database: Database, call: str
) -> None:
    database.read(0)
    store.unavailable = {call}
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            database.read(0)
    store.unavailable = set()
    database.read(0)
    database.read(0)
    assert store.recounts == [False, False, True, True, False]
