"""Events, and which messages are lost and not just in flight."""

from pipeline.store import RunFigures, Totals
from tests.support.batches import NOON_NS
from web.event_log import LOSS_SAMPLES, MAX_EVENTS, EventLog, LossDetector


def totals(*runs: RunFigures) -> Totals:
    return Totals(sum(run.stored for run in runs), 0, 0, runs)


def run(name: str = "a", *, stored: int = 10, first_ns: int = NOON_NS) -> RunFigures:
    return RunFigures(name, stored, 9, first_ns, first_ns, late=0)


def texts(log: EventLog) -> list[str]:
    return [event.text for event in log.events]


def test_a_number_that_is_missing_for_a_moment_is_no_loss() -> None:
    detector = LossDetector()
    for stored in (8, 9, 8, 10, 9, 8, 8):
        assert detector.update(totals(run(stored=stored))) == {}


def test_a_number_that_stays_missing_is_a_loss_until_it_comes() -> None:
    detector = LossDetector()
    found = [detector.update(totals(run(stored=7))) for _ in range(LOSS_SAMPLES)]
    assert found == [{}] * (LOSS_SAMPLES - 1) + [{"a": 3}]
    assert detector.update(totals(run(stored=8))) == {"a": 2}
    assert detector.update(totals(run(stored=10))) == {}


def test_a_restart_of_a_service_is_one_event() -> None:
    log = EventLog()
    log.record_starts({"worker-1": NOON_NS})
    log.record_starts({"worker-1": NOON_NS})
    log.record_starts({"worker-1": NOON_NS + 1})
    log.record_starts({"worker-1": NOON_NS + 1, "worker-2": NOON_NS + 2})
    assert texts(log) == ["worker-1 started", "worker-1 restarted", "worker-2 started"]


def test_a_new_run_is_an_event_at_its_first_arrival_and_old_ones_are_not() -> None:
    log = EventLog()
    log.record_runs(totals(run("b", first_ns=20), run("a", first_ns=10)))
    log.record_runs(totals(run("c", first_ns=30), run("b", first_ns=20), run("a", first_ns=10)))
    assert [(event.at_ns, event.text) for event in log.events] == [(20, "new run b"), (30, "new run c")]


def test_the_first_run_of_an_empty_database_is_an_event() -> None:
    log = EventLog()
    log.record_runs(totals())
    log.record_runs(totals(run("a")))
    assert texts(log) == ["new run a"]


def test_a_loss_is_an_event_when_it_grows_and_when_it_ends() -> None:
    log = EventLog()
    for losses in ({}, {"a": 2}, {"a": 2}, {"a": 3}, {}):
        log.record_losses(NOON_NS, losses)
    assert texts(log) == ["run a: 2 missing", "run a: 3 missing", "run a: no messages missing"]


def test_only_the_last_events_are_kept() -> None:
    log = EventLog()
    for index in range(1_000):
        log.record_starts({"worker-1": index})
    assert len(log.events) == MAX_EVENTS
    assert log.events[-1].at_ns == 999
