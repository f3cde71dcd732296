"""One snapshot a second, complete or not, always on time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gevent
import pytest
from redis import RedisError

from pipeline.clock import NS_PER_S
from pipeline.store import StoreUnavailable, Totals
from tests.support.batches import NOON_NS
from tests.support.snapshots import QUEUE, RUN, WINDOW
from web.event_log import LOSS_SAMPLES
from web.poller import BackgroundPoller
from web.queue_reader import QueueSample
from web.sampler import Sampler
from web.snapshot import Snapshot
from web.store_reader import StoreSample


class Done:
    """A call that ends at once, or not while ``hangs``."""

    def __init__(self, call: Callable[[], Any], hangs: Callable[[], bool]) -> None:
        self._call = call
        self._hangs = hangs

    def get(self, *, block: bool, timeout: float) -> Any:
        if self._hangs():
            raise gevent.Timeout(timeout)
        return self._call()


@dataclass
class World:
    """A database, a queue and a clock, each with its faults."""

    now_ns: int = NOON_NS
    database_unavailable: bool = False
    database_hangs: bool = False
    missing: int = 0
    queue_unavailable: bool = False
    asked: list[Sequence[str]] = field(default_factory=list)

    def sampler(self) -> Sampler:
        database = BackgroundPoller(
            "database", self._read, StoreUnavailable, spawn=self._spawn, monotonic=lambda: self.now_ns / 1e9
        )
        queue = BackgroundPoller(
            "queue",
            self._read_queue,
            RedisError,
            spawn=lambda call, runs: Done(lambda: call(runs), lambda: False),
        )
        return Sampler(database, queue, store="sqlite", clock=lambda: self.now_ns)

    def _spawn(self, call: Callable[[int], Any], at_ns: int) -> Done:
        return Done(lambda: call(at_ns), lambda: self.database_hangs)

    def _read(self, at_ns: int) -> StoreSample:
        if self.database_unavailable:
            raise StoreUnavailable("no such file")
        run = replace(RUN, stored=RUN.highest + 1 - self.missing)
        return StoreSample(Totals(run.stored, 129, NOON_NS, (run,)), WINDOW)

    def _read_queue(self, runs: Sequence[str]) -> QueueSample:
        self.asked.append(runs)
        if self.queue_unavailable:
            raise RedisError("refused")
        return QUEUE

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


def test_a_snapshot_has_all_there_is() -> None:
    snapshot = World().sampler().sample()
    assert (snapshot.at_ns, snapshot.error, snapshot.window, snapshot.queue) == (NOON_NS, None, WINDOW, QUEUE)
    assert snapshot.totals
    assert snapshot.totals.highest == 129


def test_while_the_database_is_unavailable_totals_stay_and_the_window_goes() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_unavailable = True
    world.pass_s(1)
    snapshot = sampler.sample()
    assert snapshot.error == "The database can't be read: no such file"
    assert snapshot.window is None
    assert snapshot.totals
    assert snapshot.totals.highest == 129
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


def test_a_database_that_was_never_read_leaves_the_totals_unknown() -> None:
    snapshot = World(database_unavailable=True).sampler().sample()
    assert (snapshot.totals, snapshot.window) == (None, None)


def test_while_redis_is_unreachable_the_database_is_still_read() -> None:
    snapshot = World(queue_unavailable=True).sampler().sample()
    assert (snapshot.queue, snapshot.error, snapshot.window) == (None, None, WINDOW)


def test_duplicates_are_read_for_the_runs_that_are_shown() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    sampler.sample()
    assert world.asked == [[], ["run-1"]]


def test_ids_rise_also_while_the_clock_is_set_back() -> None:
    world = World()
    sampler = world.sampler()
    first = sampler.sample().id
    world.pass_s(-3_600)
    assert sampler.sample().id > first
    assert first == NOON_NS // 1_000_000


def test_outages_and_recoveries_are_events() -> None:
    world = World()
    sampler = world.sampler()
    sampler.sample()
    world.database_unavailable = world.queue_unavailable = True
    world.pass_s(1)
    sampler.sample()
    world.database_unavailable = world.queue_unavailable = False
    world.pass_s(7)
    texts = texts_of(sampler.sample())
    assert texts[-4:] == [
        "database unavailable",
        "Redis unreachable",
        "database recovered after 7 s",
        "Redis recovered after 7 s",
    ]
    assert set(texts[:-4]) == {"web started", "worker-1 started", "new run run-1"}


def texts_of(snapshot: Snapshot) -> list[str]:
    return [event.text for event in snapshot.events]


@pytest.mark.parametrize("fault", ["database_unavailable", "database_hangs"])
def test_messages_in_flight_when_the_database_becomes_unavailable_are_never_called_missing(
    fault: str,
) -> None:
    world = World()
    sampler = world.sampler()
    snapshots = [sampler.sample()]
    world.missing = 10  # stored out of order: they are in flight
    world.pass_s(1)
    snapshots.append(sampler.sample())
    setattr(world, fault, True)
    for _ in range(60):
        world.pass_s(1)
        snapshots.append(sampler.sample())
    setattr(world, fault, False)
    for _ in range(LOSS_SAMPLES - 1):
        world.pass_s(1)
        snapshots.append(sampler.sample())
    world.missing = 0
    world.pass_s(1)
    snapshots.append(sampler.sample())
    assert not any(snapshot.losses for snapshot in snapshots)
    assert not [text for text in texts_of(snapshots[-1]) if "missing" in text]


@pytest.mark.parametrize("fault", ["database_unavailable", "database_hangs"])
def test_a_loss_that_is_known_stays_known_while_the_database_is_unavailable(fault: str) -> None:
    world = World(missing=3)
    sampler = world.sampler()
    for _ in range(LOSS_SAMPLES):
        snapshot = sampler.sample()
        world.pass_s(1)
    assert snapshot.losses == {"run-1": 3}
    setattr(world, fault, True)
    for _ in range(10):
        world.pass_s(1)
        snapshot = sampler.sample()
    assert snapshot.losses == {"run-1": 3}
    setattr(world, fault, False)
    for _ in range(LOSS_SAMPLES):
        world.pass_s(1)
        snapshot = sampler.sample()
    assert snapshot.losses == {"run-1": 3}
    assert [text for text in texts_of(snapshot) if "missing" in text] == ["run run-1: 3 missing"]


def test_a_slow_database_makes_no_message_missing_sooner() -> None:
    world = World(missing=3)
    sampler = world.sampler()
    for _ in range(LOSS_SAMPLES - 1):
        assert sampler.sample().losses == {}
        world.pass_s(0.5)
        world.database_hangs = True
        assert sampler.sample().losses == {}  # made of the value before, which is not counted twice
        world.database_hangs = False
        world.pass_s(0.5)
