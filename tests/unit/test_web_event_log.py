"""Events: each once, at its own time, over restarts of the page's service and beside other replicas."""

from collections.abc import Sequence
from typing import Any

from pipeline.clock import NS_PER_S
from pipeline.queue.server_info import ServerInfo
from pipeline.queue.service_state import State
from pipeline.store import RunFigures
from tests.support.batches import NOON_NS
from web.conditions import Condition
from web.event_log import MAX_EVENTS, Event, EventLog
from web.events import ConditionEvents, redis_start, run_events, service_events, service_start
from web.services import Service


def run(name: str = "a", *, first_ns: int = NOON_NS) -> RunFigures:
    return RunFigures(name, 10, 9, first_ns, first_ns, late=0)


def texts(log: EventLog) -> list[str]:
    return [event.text for event in log.events]


def at(second: float) -> int:
    return NOON_NS + round(second * NS_PER_S)


def service(second: float, *, started: float = 0, state: State = "ok", silent: bool = False) -> Service:
    return Service(
        "worker-1", at(started), state, at(second), "", at(second), silent=silent, silent_for_ns=3 * NS_PER_S
    )


def condition(code: str = "store_unwritable", since: float = 0) -> Condition:
    return Condition(code, f"text of {code}", at(since))


def test_a_restart_of_a_service_is_one_event() -> None:
    log = EventLog()
    for second, started in ((1, 0), (2, 0), (9, 8), (10, 8)):
        service_events(log, [service(second, started=started)], at(second))
    assert [(event.at_ns, event.text) for event in log.events] == [
        (at(0), "worker-1 started"),
        (at(8), "worker-1 restarted"),
    ]


def test_a_stop_and_a_start_are_no_restart() -> None:
    log = EventLog()
    service_events(log, [service(1)], at(1))
    service_events(log, [service(5, state="stopped")], at(6))
    service_events(log, [service(5, state="stopped")], at(7))
    service_events(log, [service(9, started=8)], at(9))
    assert texts(log) == ["worker-1 started", "worker-1 stopped", "worker-1 started"]


def test_a_freeze_and_its_end_are_events_with_their_times() -> None:
    log = EventLog()
    service_events(log, [service(1)], at(1))
    for second in (5, 6, 7):
        service_events(log, [service(1, silent=True)], at(second))
    service_events(log, [service(11)], at(11))
    service_events(log, [service(12)], at(12))
    assert [(event.at_ns, event.text) for event in log.events][1:] == [
        (at(5), "worker-1 has sent no heartbeat since {2026-01-01T12:00:01.000Z}"),
        (at(11), "worker-1 sends its heartbeat again, after 10 s"),
    ]


def test_a_service_that_died_and_came_back_is_restarted_and_not_thawed() -> None:
    log = EventLog()
    service_events(log, [service(1)], at(1))
    service_events(log, [service(1, silent=True)], at(5))
    service_events(log, [service(9, started=8)], at(9))
    assert texts(log)[2:] == ["worker-1 restarted"]


def test_a_service_that_was_gone_long_before_is_no_event() -> None:
    log = EventLog()
    service_events(log, [service(-3_600, started=-7_200, silent=True)], at(0))
    assert texts(log) == []


def test_a_new_run_is_an_event_at_its_first_arrival_and_old_ones_are_not() -> None:
    log = EventLog()
    run_events(log, [run("b", first_ns=20), run("a", first_ns=10)])
    run_events(log, [run("c", first_ns=30), run("b", first_ns=20), run("a", first_ns=10)])
    assert [(event.at_ns, event.text) for event in log.events] == [(20, "new run b"), (30, "new run c")]


def test_the_producers_new_run_is_its_start() -> None:
    log = EventLog()
    run_events(log, [run("2026-01-01T12:00:00.000Z-ab12")])
    assert texts(log) == ["producer started a new run"]


def test_redis_is_known_by_the_id_of_its_start() -> None:
    log = EventLog()
    for run_id, uptime_s, second in (("a", 60, 0), ("a", 61, 1), ("b", 2, 10)):
        redis_start(log, ServerInfo("8", "", 0, 0, run_id, uptime_s), at(second))
    assert [(event.at_ns, event.text) for event in log.events] == [
        (at(-60), "Redis started"),
        (at(8), "Redis restarted"),
    ]


def test_a_condition_that_another_event_reports_is_not_reported_again() -> None:
    log = EventLog()
    events = ConditionEvents(log, at(-60))
    events.update(at(3), [condition("worker_silent"), condition()], covered={"worker_silent"})
    events.update(at(5), [])
    assert texts(log) == ["database can't be written", "database can be written again, after 5 s"]


def test_a_condition_has_a_begin_and_an_end() -> None:
    log = EventLog()
    events = ConditionEvents(log, at(-60))
    for second in (3, 4):
        events.update(at(second), [condition(since=1)])
    events.update(at(11), [])
    events.update(at(12), [])
    assert [(event.at_ns, event.kind, event.text) for event in log.events] == [
        (at(1), "unavailable", "database can't be written"),
        (at(11), "recovered", "database can be written again, after 10 s"),
    ]


def test_a_short_pause_between_arrivals_is_no_event() -> None:
    log = EventLog()
    events = ConditionEvents(log, at(-60))
    events.update(at(3), [condition("nothing_arrives")])
    events.update(at(4), [])
    assert texts(log) == []
    events.update(at(30), [condition("nothing_arrives", since=19)])
    assert texts(log) == ["no message arrives"]


def test_lost_messages_are_an_event_once_their_numbers_are_known_and_again_when_there_are_more() -> None:
    log = EventLog()
    events = ConditionEvents(log, at(-60))
    events.update(at(15), [condition("unaccounted")], lost=2, named=False)
    assert texts(log) == []
    for lost in (2, 2, 3):
        events.update(at(16), [condition("unaccounted")], lost=lost, named=True)
    assert [event.kind for event in log.events] == ["loss", "loss"]
    events.update(at(60), [])
    assert texts(log)[-1] == "all accepted messages are accounted for again, after 60 s"


def test_lost_messages_are_reported_even_if_their_numbers_are_never_found() -> None:
    log = EventLog()
    ConditionEvents(log, at(-60)).update(at(19), [condition("unaccounted")], lost=2, named=False)
    assert texts(log) == ["text of unaccounted"]


def test_only_the_last_events_are_kept() -> None:
    log = EventLog()
    for index in range(1_000):
        log.add(Event(index, "service", "x", f"start:worker-1:{index}"))
    assert len(log.events) == len(log.pending) == MAX_EVENTS
    assert log.events[-1].at_ns == 999


class Restarted:
    """A service that was restarted at second 100, with the log that it had before."""

    def __init__(self, stored: Sequence[Event], **merge: Any) -> None:
        self.log = EventLog()
        self.conditions = ConditionEvents(self.log, at(100))
        self.log.merge(stored, **{"writes": True, **merge})
        self.restored = self.conditions.restore()


def before() -> tuple[Event, ...]:
    """A log with a run, a service and a condition that has not ended."""
    log = EventLog()
    service_start(log, "web", at(-50), own=True)
    service_events(log, [service(1)], at(1))
    run_events(log, [run("a")])
    ConditionEvents(log, at(-60)).update(at(90), [condition(since=80)])
    return log.events


def test_after_a_restart_nothing_is_reported_twice() -> None:
    web = Restarted(before())
    assert web.restored == {"store_unwritable": at(80)}
    service_events(web.log, [service(101)], at(101))
    run_events(web.log, [run("a")])
    web.conditions.update(at(101), [condition(since=80)])
    assert web.log.events == tuple(sorted(before(), key=lambda event: (event.at_ns, event.id)))
    assert web.log.pending == ()
    service_start(web.log, "web", at(100), own=True)
    assert texts(web.log)[-1] == "web restarted"


def test_what_ended_while_the_service_was_down_is_reported_without_a_duration() -> None:
    web = Restarted(before())
    web.conditions.update(at(101), [])
    assert texts(web.log)[-1] == "database can't be written"  # it may not have been seen again yet
    web.conditions.update(at(108), [])
    assert texts(web.log)[-1] == "database can be written again"


def test_a_run_that_began_while_the_service_was_down_is_reported() -> None:
    web = Restarted(before())
    run_events(web.log, [run("c", first_ns=at(95)), run("b", first_ns=at(92)), run("a")])
    assert texts(web.log)[-2:] == ["new run b", "new run c"]


def test_a_replica_that_does_not_write_shows_what_the_other_wrote_and_adds_its_own_start() -> None:
    log = EventLog()
    service_start(log, "web-2", at(5), own=True)
    ConditionEvents(log, at(5)).update(at(90), [condition(since=80.5)])
    log.merge(before(), writes=False)
    assert [event.text for event in log.pending] == ["web-2 started"]
    assert texts(log).count("database can't be written") == 1


def test_what_redis_still_says_replaces_what_only_this_replica_has_seen() -> None:
    log, old, stored = EventLog(), Event(at(0), "service", "old", "a"), Event(at(1), "service", "stored", "b")
    kept = (stored,)
    log.merge((old, stored), writes=True)
    log.merge(kept, writes=True)
    log.merge(kept, writes=False)
    assert texts(log) == ["stored"]
    log.add(Event(at(2), "service", "seen", "c"))
    log.merge(kept, writes=False)
    assert (texts(log), log.pending) == (["stored"], ())
