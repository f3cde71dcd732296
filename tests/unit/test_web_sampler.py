"""One snapshot a second, complete or not, always on time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import gevent
import pytest
from gevent.threadpool import ThreadPool
from redis import RedisError

from pipeline.clock import NS_PER_S
from pipeline.message import ClockOffset
from pipeline.queue.service_state import ServiceState
from pipeline.store import StoreUnavailable, Totals, Window
from tests.support.batches import NOON_NS
from tests.support.snapshots import RUN, WINDOW, entry, ledger
from web import sampler as sampler_module
from web.event_log import Event
from web.event_store import StoredEvents
from web.observation import LostNumbers
from web.observer import Observer
from web.poller import BackgroundPoller
from web.queue_reader import QueueRequest, QueueSample
from web.sampler import POLL_WAIT_S, Sampler
from web.snapshot import Snapshot
from web.store_reader import StoreReader, StoreRequest, StoreSample

AT_NOON = RUN.last_arrived_ns


class Done:
    """A call that ends at once, or not while ``hangs``; in vain it is waited for as ``waits`` says."""

    def __init__(
        self, call: Callable[[], Any], hangs: Callable[[], bool], waits: Callable[[float], None]
    ) -> None:
        self._call = call
        self._hangs = hangs
        self._waits = waits

    def get(self, *, block: bool, timeout: float) -> Any:
        if self._hangs():
            self._waits(timeout)
            raise gevent.Timeout(timeout)
        return self._call()


@dataclass
class World:
    """A database, a queue and a clock, each with its faults."""

    now_ns: int = NOON_NS
    database_unavailable: bool = False
    database_hangs: bool = False
    stored: int = 130
    accepted: int | None = 130
    meanwhile: int = 0
    """Messages that are accepted and stored while the database is read."""
    waiting: int = 0
    held_jobs: int = 0
    baseline: int | None = None
    queue_unavailable: bool = False
    arrived_ns: int | None = None
    """The last arrival; None: just now."""
    searches: int = 0
    asked: list[QueueRequest] = field(default_factory=list)
    windows: list[StoreRequest] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    """For how long a database that hangs was waited for, each time."""
    order: list[str] = field(default_factory=list)
    kept: dict[str, Event] = field(default_factory=dict)
    services: tuple[ServiceState, ...] = ()

    def sampler(self, began_ns: int | None = None) -> Sampler:
        database = BackgroundPoller(
            "database", self._read, StoreUnavailable, spawn=self._spawn, monotonic=lambda: self.now_ns / 1e9
        )
        queue = BackgroundPoller("queue", self.read_queue, RedisError, spawn=immediately)
        search = BackgroundPoller("ledger", self.search, RedisError, spawn=immediately)
        observer = Observer("web", began_ns or self.now_ns, search)
        return Sampler(database, queue, observer, store="sqlite", clock=lambda: self.now_ns)

    def _spawn(self, call: Callable[[StoreRequest], Any], request: StoreRequest) -> Done:
        return Done(lambda: call(request), lambda: self.database_hangs, self.waited_s.append)

    def _read(self, request: StoreRequest) -> StoreSample:
        self.order.append("database")
        self.windows.append(request)
        if self.database_unavailable:
            raise StoreUnavailable("no such file")
        if self.accepted:
            self.accepted += self.meanwhile
        self.stored += self.meanwhile
        run = replace(RUN, stored=self.stored)
        totals = Totals(self.stored, 129, NOON_NS, (run,), active=run, leading=run, highest_run=run.run)
        return StoreSample(totals, WINDOW)

    def read_queue(self, request: QueueRequest) -> QueueSample:
        self.order.append("redis")
        self.asked.append(request)
        if self.queue_unavailable:
            raise RedisError("refused")
        self.kept |= {event.id: event for event in request.events}
        self.baseline = request.baseline if self.baseline is None else self.baseline
        run = entry(
            accepted=self.accepted, waiting=self.waiting, last_arrived_ns=self.arrived_ns or self.now_ns
        )
        return QueueSample(
            ledger=ledger(
                run,
                accepted=self.accepted,
                waiting=self.waiting,
                held_jobs=self.held_jobs,
                queued_jobs=4,
            ),
            services=self.services,
            clock_offsets={"run-1": ClockOffset("run-1", 5, 1)},
            events=StoredEvents(tuple(self.kept.values()), writes=True),
        )

    def search(self, _: None) -> tuple[LostNumbers, ...]:
        self.searches += 1
        return (LostNumbers("run-1", 130 - self.stored, (57,)),)

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


def immediately(call: Callable[[Any], Any], request: Any) -> Done:
    result = call(request)
    return Done(lambda: result, lambda: False, lambda timeout_s: None)


def codes(snapshot: Snapshot) -> list[str]:
    return [condition.code for condition in snapshot.conditions]


def texts_of(snapshot: Snapshot) -> list[str]:
    return [event.text for event in snapshot.events]


def test_a_snapshot_has_all_there_is() -> None:
    snapshot = World().sampler().sample()
    assert (snapshot.at_ns, snapshot.error, snapshot.window) == (NOON_NS, None, WINDOW)
    assert snapshot.queue
    assert snapshot.totals
    assert snapshot.totals.highest == 129
    assert (snapshot.balance.accepted, snapshot.balance.unaccounted) == (130, 0)
    assert snapshot.conditions == ()


def test_an_arrival_in_the_future_hides_not_that_nothing_arrives() -> None:
    world = World(arrived_ns=NOON_NS + 3_600 * NS_PER_S)
    sampler = world.sampler()
    assert codes(sampler.sample()) == []
    for _ in range(3):
        world.pass_s(1)
        found = codes(sampler.sample())
    assert found == ["nothing_arrives"]
    world.accepted, world.stored = 131, 131
    world.pass_s(1)
    assert codes(sampler.sample()) == []


def test_redis_is_read_before_the_database() -> None:
    world = World()
    sampler = world.sampler()
    for _ in range(3):
        sampler.sample()
    assert world.order == ["redis", "database"] * 3


def test_totals_are_read_after_redis_and_the_window_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "QUEUE_WAIT_S", 30.0)
    monkeypatch.setattr(sampler_module, "POLL_WAIT_S", 30.0)
    world, order = World(), list[str]()

    def read_queue(request: QueueRequest) -> QueueSample:
        while "window" not in order:
            gevent.sleep(0.01)
        gevent.sleep(0.02)
        order.append("redis")
        return world.read_queue(request)

    class Database:
        def window(self, *_: object) -> Window:
            order.append("window")
            return WINDOW

        def totals(self, *, recount: bool) -> Totals:
            order.append("totals")
            return Totals(130, 129, NOON_NS, ())

    reader = StoreReader(Database())  # type: ignore[arg-type]
    database = BackgroundPoller("database", reader.read, StoreUnavailable, spawn=ThreadPool(1).spawn)
    queue = BackgroundPoller("queue", read_queue, RedisError, spawn=gevent.spawn)
    search = BackgroundPoller("ledger", world.search, RedisError, spawn=immediately)
    snapshot = Sampler(database, queue, Observer("web", NOON_NS, search), store="sqlite").sample()
    assert order == ["window", "redis", "totals"]
    assert (snapshot.window, snapshot.balance.stored, snapshot.balance.accepted) == (WINDOW, 130, 130)


def test_while_the_database_is_unavailable_totals_stay_and_the_window_goes() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_unavailable, world.waiting, world.accepted = True, 20, 150
    world.pass_s(1)
    snapshot = sampler.sample()
    assert snapshot.error == "The database can't be read: no such file"
    assert snapshot.window is None
    assert snapshot.totals
    assert snapshot.totals.highest == 129
    assert codes(snapshot) == ["store_unreadable"]
    balance = snapshot.balance
    assert (balance.accepted, balance.stored, balance.waiting, balance.unaccounted) == (150, None, 20, None)
    world.database_unavailable = False
    world.pass_s(1)
    assert (sampler.sample().error, sampler.sample().window) == (None, WINDOW)


def test_a_database_that_hangs_is_reported_within_three_seconds() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_hangs = True
    errors = []
    for _ in range(4):  # the first poll that gets no answer starts up to a second after the cause
        world.pass_s(0.8)
        errors.append(sampler.sample().error)
    assert errors[:2] == [None, None]
    assert errors[-1] == "The database can't be read: no answer for more than 1 s"


def test_a_tick_waits_for_a_database_that_hangs_for_half_a_second_in_all() -> None:
    world = World(database_hangs=True)
    sampler = world.sampler()
    for _ in range(3):
        world.waited_s.clear()
        sampler.sample()
        world.pass_s(1)
        assert 0 < sum(world.waited_s) <= POLL_WAIT_S


def test_a_slow_database_is_paired_with_what_redis_said_before_it_was_asked() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_hangs = True
    world.pass_s(0.5)
    sampler.sample()
    world.accepted = 170  # accepted after the database was asked
    world.database_hangs = False
    world.pass_s(0.5)
    world.stored = 170
    assert sampler.sample().balance.unaccounted == 0


def test_a_database_that_was_never_read_leaves_the_totals_unknown() -> None:
    snapshot = World(database_unavailable=True).sampler().sample()
    assert (snapshot.totals, snapshot.window) == (None, None)


def test_while_redis_is_unreachable_the_database_is_still_read() -> None:
    snapshot = World(queue_unavailable=True).sampler().sample()
    assert (snapshot.queue, snapshot.error, snapshot.window) == (None, None, WINDOW)
    assert (snapshot.balance.stored, snapshot.balance.accepted) == (130, None)
    assert codes(snapshot) == ["queue_unreachable"]


def test_the_runs_that_are_shown_are_asked_for_and_their_clocks_are_known_to_the_window() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    sampler.sample()
    assert [request.runs for request in world.asked] == [[], ["run-1"]]
    assert world.windows[-1].clock_offsets == {"run-1": ClockOffset("run-1", 5, 1)}


def test_ids_rise_also_while_the_clock_is_set_back() -> None:
    world = World()
    sampler = world.sampler()
    first = sampler.sample().id
    world.pass_s(-3_600)
    assert sampler.sample().id > first
    assert first == NOON_NS // 1_000_000


def run_for(world: World, sampler: Sampler, seconds: int) -> list[Snapshot]:
    found = []
    for _ in range(seconds):
        world.pass_s(1)
        found.append(sampler.sample())
    return found


def test_a_row_that_is_gone_is_an_alarm_with_run_and_number_within_20_s() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.stored = 129
    snapshots = run_for(world, sampler, 20)
    assert all(snapshot.balance.unaccounted == 1 for snapshot in snapshots)
    (alarm,) = snapshots[-1].conditions
    assert alarm.code == "unaccounted"
    assert "1 accepted message can't be found" in alarm.text
    assert "run run-1: 57" in alarm.text
    assert alarm.text in texts_of(snapshots[-1])
    assert snapshots[12].conditions == ()
    world.stored = 130
    assert run_for(world, sampler, 2)[-1].conditions == ()


def test_a_loss_is_an_alarm_while_messages_are_stored_between_the_readings() -> None:
    world = World(accepted=131)
    sampler = world.sampler()
    found = []
    for second in range(40):
        world.meanwhile = second % 2
        world.pass_s(1)
        found.append(sampler.sample())
    assert {each.balance.unaccounted for each in found} == {0, 1}
    assert "1 accepted message can't be found" in found[15].conditions[0].text
    assert {tuple(codes(each)) for each in found[15:]} == {("unaccounted",)}
    world.stored += 1
    assert run_for(world, sampler, 2)[-1].conditions == ()
    assert not any(each.conditions for each in run_for(world, sampler, 20))


def test_a_loss_that_is_over_before_15_s_is_no_alarm_though_it_can_not_be_proved() -> None:
    world = World(accepted=131)
    sampler = world.sampler()
    run_for(world, sampler, 10)
    world.stored, world.held_jobs = 131, 1
    assert not any(each.conditions for each in run_for(world, sampler, 30))


def test_a_row_too_many_is_reported_while_messages_continue_to_arrive() -> None:
    world = World(stored=131)
    sampler = world.sampler()
    sampler.sample()
    for _ in range(20):
        world.stored += 10
        assert world.accepted
        world.accepted += 10
        world.pass_s(1)
        snapshot = sampler.sample()
    assert snapshot.balance.unaccounted == -1
    assert codes(snapshot) == ["unaccounted"]
    assert world.searches == 0


def test_a_load_whose_messages_are_stored_between_the_readings_is_no_alarm() -> None:
    world = World(meanwhile=40)
    snapshots = run_for(world, world.sampler(), 60)
    assert {(each.balance.unaccounted, each.conditions) for each in snapshots} == {(0, ())}
    assert world.accepted == 130 + 60 * 40


@pytest.mark.parametrize("fault", ["database_unavailable", "database_hangs", "queue_unavailable"])
def test_messages_in_flight_when_a_source_becomes_unavailable_are_never_called_lost(fault: str) -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.accepted, world.waiting = 140, 10
    snapshots = run_for(world, sampler, 2)
    setattr(world, fault, True)
    snapshots += run_for(world, sampler, 60)
    setattr(world, fault, False)
    snapshots += run_for(world, sampler, 3)
    world.stored, world.waiting = 140, 0
    snapshots += run_for(world, sampler, 20)
    assert not any("unaccounted" in codes(snapshot) for snapshot in snapshots)
    assert not any(run.lost for snapshot in snapshots for run in snapshot.runs)


def test_a_new_redis_gets_its_baseline() -> None:
    world = World(accepted=None)
    sampler = world.sampler()
    sampler.sample()
    snapshots = run_for(world, sampler, 4)
    assert world.baseline == 130
    assert [each.balance.accepted for each in snapshots] == [None] * 4


def test_outages_and_recoveries_are_events() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_unavailable = world.queue_unavailable = True
    run_for(world, sampler, 1)
    world.database_unavailable = world.queue_unavailable = False
    world.pass_s(7)
    assert texts_of(sampler.sample()) == [
        "new run run-1",
        "web started",
        "Redis can't be reached",
        "database can't be read",
        "Redis can be reached again, after 7 s",
        "database can be read again, after 7 s",
    ]


def test_the_log_outlives_the_service_and_says_nothing_twice() -> None:
    world = World(database_unavailable=True)
    run_for(world, world.sampler(), 3)
    before = set(world.kept)
    world.pass_s(5)
    sampler = world.sampler()
    snapshot = run_for(world, sampler, 9)[-1]
    assert before < set(world.kept)
    assert texts_of(snapshot).count("database can't be read") == 1
    assert texts_of(snapshot)[-1] == "web restarted"
    assert snapshot.conditions[0].since_ns == NOON_NS + NS_PER_S
    world.database_unavailable = False
    assert texts_of(run_for(world, sampler, 1)[0])[-1] == "database can be read again, after 17 s"


def test_a_restart_is_called_one_where_redis_answers_long_after_it() -> None:
    world = World()
    run_for(world, world.sampler(), 3)
    world.queue_unavailable = True
    sampler = world.sampler()
    assert not any("web" in text for text in texts_of(run_for(world, sampler, 9)[-1]))
    world.queue_unavailable = False
    assert "web restarted" in texts_of(run_for(world, sampler, 2)[-1])


def test_events_are_kept_while_redis_is_unavailable_and_written_when_it_recovers() -> None:
    world = World()
    sampler = world.sampler()
    run_for(world, sampler, 2)
    world.queue_unavailable = True
    run_for(world, sampler, 2)
    assert not any("Redis" in event.text for event in world.kept.values())
    world.queue_unavailable = False
    run_for(world, sampler, 3)
    assert [event.text for event in world.kept.values() if "Redis" in event.text] == [
        "Redis can't be reached",
        "Redis can be reached again, after 2 s",
    ]
