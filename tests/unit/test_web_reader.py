"""One reading a second, complete or not, always on time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gevent
import pytest
from redis import RedisError

from pipeline.clock import NS_PER_S
from pipeline.store import StoreUnavailable, Totals
from tests.batches import NOON_NS
from tests.readings import QUEUE, RUN, WINDOW
from web.asking import Asking
from web.database import DatabaseReading
from web.jobs import QueueReading
from web.losses import READINGS
from web.reader import Reader
from web.reading import Reading


class Done:
    """A call that ended at once, or never."""

    def __init__(self, call: Callable[[], Any], *, hangs: bool) -> None:
        self._call = call
        self._hangs = hangs

    def get(self, *, block: bool, timeout: float) -> Any:
        if self._hangs:
            raise gevent.Timeout(timeout)
        return self._call()


@dataclass
class World:
    """A database, a queue and a clock, each with its faults."""

    now_ns: int = NOON_NS
    database_away: bool = False
    database_hangs: bool = False
    missing: int = 0
    queue_away: bool = False
    asked: list[Sequence[str]] = field(default_factory=list)

    def reader(self) -> Reader:
        database = Asking(
            "database", self._read, StoreUnavailable, spawn=self._spawn, monotonic=lambda: self.now_ns / 1e9
        )
        queue = Asking(
            "queue", self._jobs, RedisError, spawn=lambda call, runs: Done(lambda: call(runs), hangs=False)
        )
        return Reader(database, queue, store="sqlite", clock=lambda: self.now_ns)

    def _spawn(self, call: Callable[[int], Any], at_ns: int) -> Done:
        return Done(lambda: call(at_ns), hangs=self.database_hangs)

    def _read(self, at_ns: int) -> DatabaseReading:
        if self.database_away:
            raise StoreUnavailable("no such file")
        run = replace(RUN, stored=RUN.highest + 1 - self.missing)
        return DatabaseReading(Totals(run.stored, 129, NOON_NS, (run,)), WINDOW)

    def _jobs(self, runs: Sequence[str]) -> QueueReading:
        self.asked.append(runs)
        if self.queue_away:
            raise RedisError("refused")
        return QUEUE

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


def test_a_reading_has_all_there_is() -> None:
    reading = World().reader().read()
    assert (reading.at_ns, reading.error, reading.window, reading.queue) == (NOON_NS, None, WINDOW, QUEUE)
    assert reading.totals
    assert reading.totals.highest == 129


def test_while_the_database_refuses_totals_stay_and_the_window_goes() -> None:
    world = World()
    reader = world.reader()
    reader.read()
    world.database_away = True
    world.pass_s(1)
    reading = reader.read()
    assert reading.error == "The database can't be read: no such file"
    assert reading.window is None
    assert reading.totals
    assert reading.totals.highest == 129
    world.database_away = False
    world.pass_s(1)
    assert (reader.read().error, reader.read().window) == (None, WINDOW)


def test_a_database_that_hangs_is_told_within_three_seconds() -> None:
    world = World()
    reader = world.reader()
    reader.read()
    world.database_hangs = True
    errors = []
    for _ in range(4):  # the first question that gets no answer is asked up to a second after its cause
        world.pass_s(0.8)
        errors.append(reader.read().error)
    assert errors[:2] == [None, None]
    assert errors[-1] == "The database can't be read: no answer for more than 1 s"


def test_a_database_that_was_never_read_leaves_the_totals_unknown() -> None:
    reading = World(database_away=True).reader().read()
    assert (reading.totals, reading.window) == (None, None)


def test_while_redis_is_away_the_database_is_still_read() -> None:
    reading = World(queue_away=True).reader().read()
    assert (reading.queue, reading.error, reading.window) == (None, None, WINDOW)


def test_duplicates_are_asked_of_the_runs_that_are_shown() -> None:
    world = World()
    reader = world.reader()
    reader.read()
    reader.read()
    assert world.asked == [[], ["run-1"]]


def test_ids_rise_also_while_the_clock_is_set_back() -> None:
    world = World()
    reader = world.reader()
    first = reader.read().id
    world.pass_s(-3_600)
    assert reader.read().id > first
    assert first == NOON_NS // 1_000_000


def test_the_journal_tells_what_went_away_and_came_back() -> None:
    world = World()
    reader = world.reader()
    reader.read()
    world.database_away = world.queue_away = True
    world.pass_s(1)
    reader.read()
    world.database_away = world.queue_away = False
    world.pass_s(7)
    texts = journal(reader.read())
    assert texts[-4:] == ["database away", "queue away", "database back after 7 s", "queue back after 7 s"]
    assert set(texts[:-4]) == {"web started", "worker-1 started", "new run run-1"}


def journal(reading: Reading) -> list[str]:
    return [line.text for line in reading.journal]


@pytest.mark.parametrize("fault", ["database_away", "database_hangs"])
def test_messages_in_flight_when_the_database_goes_away_are_never_called_missing(fault: str) -> None:
    world = World()
    reader = world.reader()
    readings = [reader.read()]
    world.missing = 10  # stored out of order: they are on their way
    world.pass_s(1)
    readings.append(reader.read())
    setattr(world, fault, True)
    for _ in range(60):
        world.pass_s(1)
        readings.append(reader.read())
    setattr(world, fault, False)
    for _ in range(READINGS - 1):
        world.pass_s(1)
        readings.append(reader.read())
    world.missing = 0
    world.pass_s(1)
    readings.append(reader.read())
    assert not any(reading.losses for reading in readings)
    assert not [text for text in journal(readings[-1]) if "missing" in text]


@pytest.mark.parametrize("fault", ["database_away", "database_hangs"])
def test_a_loss_that_is_known_stays_known_while_the_database_is_away(fault: str) -> None:
    world = World(missing=3)
    reader = world.reader()
    for _ in range(READINGS):
        reading = reader.read()
        world.pass_s(1)
    assert reading.losses == {"run-1": 3}
    setattr(world, fault, True)
    for _ in range(10):
        world.pass_s(1)
        reading = reader.read()
    assert reading.losses == {"run-1": 3}
    setattr(world, fault, False)
    for _ in range(READINGS):
        world.pass_s(1)
        reading = reader.read()
    assert reading.losses == {"run-1": 3}
    assert [text for text in journal(reading) if "missing" in text] == ["run run-1: 3 missing"]
