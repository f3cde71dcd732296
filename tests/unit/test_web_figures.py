"""The totals over all runs, kept from changes alone."""

import pytest

from pipeline.store import RunFigures, StoreUnavailable, Window
from web.database import Database
from web.figures import SHOWN_RUNS, Figures


def run(
    name: str, *, stored: int = 10, highest: int = 9, first_ns: int = 100, last_ns: int = 200
) -> RunFigures:
    return RunFigures(name, stored, highest, first_ns, last_ns, late=0)


def test_an_empty_database_has_no_highest_number_and_no_run() -> None:
    totals = Figures().update([])
    assert (totals.stored, totals.highest, totals.last_arrived_ns, totals.runs) == (0, None, None, ())


def test_a_run_that_changes_is_counted_once() -> None:
    figures = Figures()
    figures.update([run("a", stored=10, highest=9), run("b", stored=5, highest=400)])
    totals = figures.update([run("a", stored=12, highest=11, last_ns=900)])
    assert (totals.stored, totals.highest, totals.last_arrived_ns) == (17, 400, 900)


def test_the_newest_run_is_the_one_that_arrived_last_first() -> None:
    figures = Figures()
    figures.update([run("old", first_ns=10, last_ns=9_000), run("new", first_ns=20)])
    assert [shown.run for shown in figures.update([]).runs] == ["new", "old"]


def test_only_the_newest_runs_are_shown_but_all_of_them_count() -> None:
    totals = Figures().update([run(f"run-{index}", first_ns=index) for index in range(100)])
    assert [shown.run for shown in totals.runs] == [f"run-{99 - index}" for index in range(SHOWN_RUNS)]
    assert totals.stored == 1_000


def test_a_run_that_turns_out_to_be_older_makes_room_for_one_not_shown() -> None:
    figures = Figures()
    figures.update([run(f"run-{index}", first_ns=10 + index) for index in range(SHOWN_RUNS + 1)])
    totals = figures.update([run(f"run-{SHOWN_RUNS}", first_ns=1)])
    assert [shown.run for shown in totals.runs] == [
        f"run-{SHOWN_RUNS - 1 - index}" for index in range(SHOWN_RUNS)
    ]


class FakeStore:
    """Tells of changes by a cursor that counts calls; fails when told to."""

    def __init__(self) -> None:
        self.cursors: list[object] = []
        self.windows: list[tuple[int, int]] = []
        self.changed: list[RunFigures] = []
        self.away = False

    def changes(self, cursor: object | None) -> tuple[list[RunFigures], object]:
        self.cursors.append(cursor)
        return self.changed, len(self.cursors)

    def window(self, after_ns: int, until_ns: int) -> Window:
        if self.away:
            raise StoreUnavailable("gone")
        self.windows.append((after_ns, until_ns))
        return Window(0)


def test_only_what_is_new_is_read_and_the_window_is_the_last_ten_seconds() -> None:
    store = FakeStore()
    database = Database(store)  # type: ignore[arg-type]
    database.read(50_000_000_000)
    database.read(51_000_000_000)
    assert store.cursors == [None, 1]
    assert store.windows == [(40_000_000_000, 50_000_000_000), (41_000_000_000, 51_000_000_000)]


def test_a_database_that_was_away_is_read_anew_because_it_may_be_another() -> None:
    store = FakeStore()
    database = Database(store)  # type: ignore[arg-type]
    store.changed = [run("before", stored=1_000, highest=999)]
    database.read(0)
    store.away = True
    with pytest.raises(StoreUnavailable):
        database.read(0)
    store.away, store.changed = False, [run("restored", stored=3, highest=2)]
    totals = database.read(0).totals
    assert store.cursors[-1] is None
    assert (totals.stored, totals.highest, [shown.run for shown in totals.runs]) == (3, 2, ["restored"])
