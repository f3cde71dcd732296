"""What happened, and what is lost and not just under way."""

from pipeline.store import RunFigures, Totals
from tests.batches import NOON_NS
from web.journal import LINES, Journal
from web.losses import READINGS, Losses


def totals(*runs: RunFigures) -> Totals:
    return Totals(sum(run.stored for run in runs), 0, 0, runs)


def run(name: str = "a", *, stored: int = 10, first_ns: int = NOON_NS) -> RunFigures:
    return RunFigures(name, stored, 9, first_ns, first_ns, late=0)


def texts(journal: Journal) -> list[str]:
    return [line.text for line in journal.lines]


def test_a_number_that_is_missing_for_a_moment_is_no_loss() -> None:
    losses = Losses()
    for stored in (8, 9, 8, 10, 9, 8, 8):
        assert losses.note(totals(run(stored=stored))) == {}


def test_a_number_that_stays_missing_is_a_loss_until_it_comes() -> None:
    losses = Losses()
    noted = [losses.note(totals(run(stored=7))) for _ in range(READINGS)]
    assert noted == [{}] * (READINGS - 1) + [{"a": 3}]
    assert losses.note(totals(run(stored=8))) == {"a": 2}
    assert losses.note(totals(run(stored=10))) == {}


def test_a_part_that_started_again_is_told_once() -> None:
    journal = Journal()
    journal.note_parts({"worker-1": NOON_NS})
    journal.note_parts({"worker-1": NOON_NS})
    journal.note_parts({"worker-1": NOON_NS + 1})
    journal.note_parts({"worker-1": NOON_NS + 1, "worker-2": NOON_NS + 2})
    assert texts(journal) == ["worker-1 started", "worker-1 restarted", "worker-2 started"]


def test_a_new_run_is_told_with_its_first_arrival_and_old_ones_are_not() -> None:
    journal = Journal()
    journal.note_runs(totals(run("b", first_ns=20), run("a", first_ns=10)))
    journal.note_runs(totals(run("c", first_ns=30), run("b", first_ns=20), run("a", first_ns=10)))
    assert [(line.at_ns, line.text) for line in journal.lines] == [(20, "new run b"), (30, "new run c")]


def test_the_first_run_of_an_empty_database_is_told() -> None:
    journal = Journal()
    journal.note_runs(totals())
    journal.note_runs(totals(run("a")))
    assert texts(journal) == ["new run a"]


def test_a_loss_is_told_when_it_grows_and_when_it_is_made_good() -> None:
    journal = Journal()
    for losses in ({}, {"a": 2}, {"a": 2}, {"a": 3}, {}):
        journal.note_losses(NOON_NS, losses)
    assert texts(journal) == ["run a: 2 missing", "run a: 3 missing", "run a has no message missing any more"]


def test_only_the_last_lines_are_kept() -> None:
    journal = Journal()
    for index in range(1_000):
        journal.note_parts({"worker-1": index})
    assert len(journal.lines) == LINES
    assert journal.lines[-1].at_ns == 999
