"""The totals over all runs, kept from changes alone, in bounded memory."""

import tracemalloc
from collections.abc import Iterable, Sequence

import pytest

from pipeline.store import NEWEST_RUNS, RunFigures, Totals
from pipeline.store.influx import run_totals
from pipeline.store.influx.run_totals import RECOUNT_S, RunTotals


def run(
    name: str, *, stored: int = 10, highest: int = 9, first_ns: int = 100, last_ns: int = 200
) -> RunFigures:
    return RunFigures(name, stored, highest, first_ns, last_ns, late=0)


class World:
    """The runs in a database, what of them a reader has not read yet, and a clock."""

    def __init__(self, runs: Iterable[RunFigures] = ()) -> None:
        self.runs: dict[str, RunFigures] = {}
        self.news: dict[str, RunFigures] = {}
        self.now_s = 0.0
        self.counts = 0
        self.put(*runs)
        self._totals = self._begin()

    def _begin(self) -> RunTotals:
        return RunTotals(self.changes, lambda: self.now_s)

    def delete(self, name: str) -> None:
        """As a store reports a run of which nothing is left."""
        self.put(RunFigures(name, stored=0, highest=-1, first_arrived_ns=0, last_arrived_ns=0, late=0))

    def put(self, *runs: RunFigures) -> None:
        self.news |= {run.run: run for run in runs}
        self.runs |= self.news

    def changes(self, cursor: object) -> tuple[Sequence[RunFigures], object]:
        self.counts += cursor is None
        news = list((self.runs if cursor is None else self.news).values())
        self.news = {}
        return news, "cursor"

    def read(self, *runs: RunFigures) -> Totals:
        """What a store does at each reading."""
        self.put(*runs)
        totals = self._totals.read()
        if self._totals.is_recount_due:
            self._totals = self._begin()
            totals = self._totals.read()
        return totals

    @property
    def stored(self) -> int:
        return sum(run.stored for run in self.runs.values())


def names(totals: Totals) -> list[str]:
    return [run.run for run in totals.runs]


def test_an_empty_database_has_no_highest_number_and_no_run() -> None:
    assert World().read() == Totals(0, None, None, ())


def test_a_run_that_changes_is_counted_once() -> None:
    world = World([run("a", stored=10, highest=9), run("b", stored=5, highest=400)])
    world.read()
    totals = world.read(run("a", stored=12, highest=11, last_ns=900))
    assert (totals.stored, totals.highest, totals.last_arrived_ns) == (17, 400, 900)


def test_the_newest_run_is_the_one_that_arrived_last_first() -> None:
    world = World([run("old", first_ns=10, last_ns=9_000), run("new", first_ns=20)])
    assert names(world.read()) == names(world.read()) == ["new", "old"]


def test_only_the_newest_runs_are_shown_but_all_of_them_count() -> None:
    totals = World([run(f"run-{index}", first_ns=index) for index in range(100)]).read()
    assert names(totals) == [f"run-{99 - index}" for index in range(NEWEST_RUNS)]
    assert totals.stored == 1_000


def test_a_run_that_turns_out_to_be_older_makes_room_for_one_not_shown() -> None:
    world = World([run(f"run-{index}", first_ns=10 + index) for index in range(NEWEST_RUNS + 1)])
    world.read()
    totals = world.read(run(f"run-{NEWEST_RUNS}", first_ns=1))
    assert names(totals) == [f"run-{NEWEST_RUNS - 1 - index}" for index in range(NEWEST_RUNS)]


@pytest.mark.parametrize("deleted", ["old", "new"])
def test_totals_follow_at_once_when_messages_or_whole_runs_are_deleted(deleted: str) -> None:
    world = World([run("old", first_ns=10), run("new", stored=500, highest=499, first_ns=20, last_ns=900)])
    world.read()
    world.delete(deleted)
    (left,) = {"old", "new"} - {deleted}
    assert world.read() == Totals(
        world.runs[left].stored,
        world.runs[left].highest,
        world.runs[left].last_arrived_ns,
        (world.runs[left],),
        active=world.runs[left],
        leading=world.runs[left],
        highest_run=left,
    )
    totals = world.read(run(left, stored=3, highest=2, last_ns=50))
    assert (totals.stored, totals.highest, totals.last_arrived_ns) == (3, 2, 50)
    world.delete(left)
    assert world.read() == World().read() == Totals(0, None, None, ())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps ten runs, and the counts of twenty more."""
    monkeypatch.setattr(run_totals, "MAX_KEPT", 10)
    monkeypatch.setattr(run_totals, "MAX_COUNTED", 20)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at_once", [True, False])
def test_the_leading_run_is_that_of_all_runs_also_where_it_is_not_kept(at_once: bool) -> None:
    large = run("large", stored=1_000, highest=999, first_ns=0)
    small = [run(f"run-{index}", stored=1, highest=5_000, first_ns=1 + index) for index in range(30)]
    world = World([large])
    if not at_once:
        world.read()
    assert world.read(*small).leading == large
    grown = run("large", stored=2_000, highest=1_999, first_ns=0)
    assert world.read(grown).leading == grown
    world.delete("large")
    assert world.read().leading is None


@pytest.mark.usefixtures("small")
def test_a_run_that_is_not_kept_is_still_counted_once_when_it_changes() -> None:
    world = World([run(f"run-{index}", first_ns=index) for index in range(30)])
    world.read()
    for step in range(1, 4):
        totals = world.read(*(run(f"run-{index}", stored=10 + step, first_ns=index) for index in range(30)))
        assert totals.stored == world.stored == 30 * (10 + step)
    assert world.counts == 1


@pytest.mark.usefixtures("small")
def test_new_runs_beyond_the_bound_count_at_once() -> None:
    world = World()
    for index in range(200):
        assert world.read(run(f"run-{index}", first_ns=index)).stored == world.stored


@pytest.mark.usefixtures("small")
def test_a_run_of_which_nothing_is_kept_is_counted_right_a_minute_after_it_changed_at_the_latest() -> None:
    world = World()
    for index in range(200):
        world.read(run(f"run-{index}", first_ns=index))
    world.read(run("run-0", stored=11, first_ns=0))
    world.now_s = RECOUNT_S
    assert world.read().stored == world.stored == 2_001
    assert world.counts == 2


@pytest.mark.usefixtures("small")
def test_it_is_not_all_counted_again_and_again_while_new_runs_keep_coming() -> None:
    world = World()
    for index in range(600):
        world.now_s = index / 10
        world.read(run(f"run-{index}", first_ns=index))
    assert world.counts == 1


@pytest.mark.usefixtures("small")
def test_runs_that_come_one_after_another_are_never_counted_again() -> None:
    world = World()
    for index in range(25):
        world.now_s = index * RECOUNT_S
        world.read(run(f"run-{index}", first_ns=index))
    assert world.counts == 1


@pytest.mark.usefixtures("small")
def test_a_run_that_is_not_kept_is_shown_once_those_before_it_turn_out_to_be_older() -> None:
    world = World([run(f"run-{index}", first_ns=100 + index) for index in range(30)])
    world.read()
    world.read(*(run(f"run-{index}", first_ns=index) for index in range(20, 30)))
    world.now_s = RECOUNT_S
    assert names(world.read()) == [f"run-{index}" for index in range(19, 19 - NEWEST_RUNS, -1)]


def test_a_hundred_thousand_more_runs_take_no_more_memory_once_the_bound_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_totals, "MAX_COUNTED", 2_000)
    totals = RunTotals(lambda cursor: ([], cursor))

    def come(first: int, last: int) -> int:
        for start in range(first, last, 1_000):
            totals.update([run(f"run-{index}", first_ns=index) for index in range(start, start + 1_000)])
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = come(0, 10_000)
    after = come(10_000, 110_000)
    tracemalloc.stop()
    assert after - before < 200_000
    assert totals.update([]).stored == 1_100_000
