"""What services report of themselves in Redis: written by real services, under faults that were caused."""

import json
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis import Redis

from consumer.callers import MAX_CALLERS, SILENT_S, Callers
from pipeline.queue import keys, service_state
from pipeline.queue.service_state import KEPT_NS, ServiceState
from pipeline.queue.state_reporter import Condition, StateReporter
from tests.support.batches import NOON_NS
from tests.support.consumer_process import ConsumerProcess
from tests.support.redis_server import RedisServer
from tests.support.states import read_states
from tests.support.waiting import never, until
from tests.support.workers import WorkerProcess, send

STATE = ServiceState("worker", NOON_NS, "ok", NOON_NS, at_ns=NOON_NS + 5, last_write_ns=NOON_NS + 3)
NOW_NS = NOON_NS + 10


def state_of(redis: Redis, name: str) -> ServiceState | None:
    return next((state for state in read_states(redis) if state.name == name), None)


def reports(redis: Redis, name: str, state: str) -> Callable[[], bool]:
    return lambda: (found := state_of(redis, name)) is not None and found.state == state


def test_what_is_reported_is_read_and_the_newest_counts(redis: Redis) -> None:
    service_state.report(redis, STATE)
    later = replace(STATE, state="store_unwritable", reason="disk full", at_ns=NOON_NS + 9)
    service_state.report(redis, later)
    service_state.report(redis, replace(STATE, name="consumer"))
    assert read_states(redis, now_ns=NOW_NS) == [replace(STATE, name="consumer"), later]


def test_a_silent_service_is_known_for_a_day(redis: Redis) -> None:
    service_state.report(redis, STATE)
    assert read_states(redis, now_ns=STATE.at_ns + KEPT_NS - 1) == [STATE]
    assert read_states(redis, now_ns=STATE.at_ns + KEPT_NS) == []
    service_state.prune(redis, now_ns=STATE.at_ns + KEPT_NS)
    assert redis.exists(keys.STATES) == 0


def test_what_earlier_versions_kept_is_gone_after_the_first_report(redis: Redis) -> None:
    for key in keys.RETIRED:
        redis.hset(key, "run-1", 1)
    StateReporter(redis, "consumer").report(("ok", "", None))
    assert redis.keys("*") == [keys.STATES.encode()]


def test_the_number_of_services_is_bounded(redis: Redis) -> None:
    for index in range(service_state.MAX_SERVICES + 5):
        service_state.report(redis, replace(STATE, name=f"worker-{index}", at_ns=NOON_NS + index))
    service_state.prune(redis, now_ns=NOON_NS + 10_000)
    names = {state.name for state in read_states(redis, now_ns=NOON_NS + 10_000)}
    assert len(names) == service_state.MAX_SERVICES
    assert "worker-4" not in names


@pytest.mark.parametrize("text", ["", "7", "[]", "{}", '{"name": "a"}', "\udcff", "{" * 10_000])
def test_what_is_none_of_ours_is_left_out(redis: Redis, text: str) -> None:
    redis.hset(keys.STATES, "foreign", text.encode(errors="surrogateescape"))
    service_state.report(redis, STATE)
    assert read_states(redis, now_ns=NOW_NS) == [STATE]


def test_a_state_that_no_service_has_is_left_out(redis: Redis) -> None:
    raw = {"name": "a", "started_ns": 1, "state": "<b>", "since_ns": 1, "at_ns": NOON_NS}
    redis.hset(keys.STATES, "a", json.dumps(raw))
    assert read_states(redis, now_ns=NOW_NS) == []


def test_a_redis_without_memory_takes_reports(own_redis: RedisServer) -> None:
    redis = own_redis.client()
    service_state.report(redis, STATE)
    redis.config_set("maxmemory", 1)
    service_state.report(redis, replace(STATE, state="queue_memory"))
    assert [state.state for state in read_states(redis, now_ns=NOW_NS)] == ["queue_memory"]


def test_a_reporter_says_since_when_and_goes_on_after_an_outage(own_redis: RedisServer) -> None:
    moments = iter(range(NOON_NS, NOON_NS + 100))
    redis = own_redis.client()
    reporter = StateReporter(redis, "worker", clock=lambda: next(moments))
    reporter.report(("ok", "", None))
    reporter.report(("ok", "", 7))
    (first,) = read_states(redis, now_ns=NOW_NS)
    assert (first.started_ns, first.since_ns, first.at_ns, first.last_write_ns) == (
        NOON_NS,
        NOON_NS + 1,
        NOON_NS + 2,
        7,
    )
    own_redis.kill()
    reporter.report(("queue_unreachable", "", None))
    own_redis.start()
    reporter.report(("queue_unreachable", "why", None))
    (second,) = read_states(own_redis.client(), now_ns=NOW_NS)
    assert (second.state, second.reason, second.since_ns) == ("queue_unreachable", "why", NOON_NS + 3)


def test_a_change_is_reported_at_once_and_silence_while_there_is_no_condition(redis: Redis) -> None:
    now: list[Condition | None] = [("ok", "", None)]
    stop = threading.Event()
    reporter = StateReporter(redis, "worker")
    thread = threading.Thread(target=reporter.run, args=(lambda: now[0], stop))
    thread.start()
    try:
        until(reports(redis, "worker", "ok"))
        now[0] = ("store_unwritable", "locked", None)
        until(reports(redis, "worker", "store_unwritable"))
        now[0] = None
        until(lambda: is_silent(redis))  # a report that was under way may still come
    finally:
        stop.set()
        thread.join()


class RecordedReporter(StateReporter):
    """Notes when it reported what."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "worker")
        self.reports: list[tuple[float, Condition]] = []

    def report(self, condition: Condition) -> None:
        self.reports.append((time.monotonic(), condition))


def test_what_stays_is_reported_once_a_second_and_a_change_at_once(redis: Redis) -> None:
    now: list[Condition] = [("ok", "", None)]
    stop = threading.Event()
    reporter = RecordedReporter(redis)
    thread = threading.Thread(target=reporter.run, args=(lambda: now[0], stop))
    thread.start()
    try:
        until(lambda: len(reporter.reports) == 3)
        now[0] = ("ok", "paused", None)
        assert until(lambda: reporter.reports[-1][1] == now[0]) < 0.9
    finally:
        stop.set()
        thread.join()
    first, second, third, *_ = (at_s for at_s, _ in reporter.reports)
    assert second - first > 0.9
    assert third - second > 0.9


def is_silent(redis: Redis) -> bool:
    """Whether nobody reports, for longer than a service is silent between two reports."""
    redis.delete(keys.STATES)
    return never(lambda: redis.exists(keys.STATES), for_s=1.5)


@pytest.fixture
def worker(own_redis: RedisServer, tmp_path: Path) -> Iterator[WorkerProcess]:
    process = WorkerProcess(tmp_path, own_redis.url)
    yield process
    process.signal(signal.SIGCONT)
    process.kill()


def is_ready(directory: Path) -> bool | None:
    """None where it does not answer yet."""
    address = directory / "worker-1.address"
    if not address.exists() or not address.read_text().endswith("\n"):
        return None
    try:
        with urllib.request.urlopen(f"http://{address.read_text().strip()}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return False


def test_a_worker_whose_database_is_locked_says_so_and_is_not_ready(
    own_redis: RedisServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    redis = own_redis.client()
    send(redis, [0])
    until(reports(redis, "worker-1", "ok"))
    until(lambda: (s := state_of(redis, "worker-1")) is not None and bool(s.last_write_ns))
    assert is_ready(tmp_path)
    with closing(sqlite3.connect(tmp_path / "messages.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        send(redis, [1])
        said: list[ServiceState] = []

        def says(reason: str) -> bool:
            if state := state_of(redis, "worker-1"):
                said.append(state)
            return any(one.state == "store_unwritable" and reason in one.reason for one in said)

        until(lambda: says("has not answered a write for more than 1 s"))
        until(lambda: is_ready(tmp_path) is False)
        until(lambda: says("locked"))
        database.execute("ROLLBACK")
    until(reports(redis, "worker-1", "ok"))
    until(lambda: is_ready(tmp_path) is True)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    stopped = state_of(redis, "worker-1")
    assert stopped
    assert (stopped.state, stopped.started_ns) == ("stopped", said[-1].started_ns)


def test_a_frozen_worker_falls_silent(own_redis: RedisServer, worker: WorkerProcess) -> None:
    redis = own_redis.client()
    until(reports(redis, "worker-1", "ok"))
    worker.signal(signal.SIGSTOP)
    until(lambda: unchanged(redis))


def unchanged(redis: Redis) -> bool:
    before = state_of(redis, "worker-1")
    return never(lambda: state_of(redis, "worker-1") != before, for_s=2.0)


@pytest.fixture
def consumer(own_redis: RedisServer, tmp_path: Path) -> Iterator[ConsumerProcess]:
    process = ConsumerProcess(tmp_path, own_redis.url, FIZZBUZZ_QUEUE_LIMIT="2")
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


def test_a_consumer_says_whether_it_persists(own_redis: RedisServer, consumer: ConsumerProcess) -> None:
    redis = own_redis.client()
    until(reports(redis, "consumer", "ok"))
    send(redis, [0, 1])
    until(reports(redis, "consumer", "queue_full"))
    redis.flushall()
    until(reports(redis, "consumer", "ok"))
    redis.config_set("maxmemory", 1)
    until(reports(redis, "consumer", "queue_memory"))
    redis.config_set("maxmemory", 0)
    until(reports(redis, "consumer", "ok"))
    redis.config_set("maxmemory-policy", "allkeys-lru")
    until(reports(redis, "consumer", "queue_unfit"))
    redis.config_set("maxmemory-policy", "noeviction")
    until(reports(redis, "consumer", "ok"))
    consumer.signal(signal.SIGTERM)
    assert consumer.wait() == 0
    assert reports(redis, "consumer", "stopped")()


def test_a_caller_of_the_health_check_is_known_by_name_until_it_falls_silent(
    own_redis: RedisServer, consumer: ConsumerProcess
) -> None:
    redis = own_redis.client()
    words = (("fizzbuzz-service", "gateway"), ("fizzbuzz-started-ns", str(NOON_NS)))
    with consumer.channel() as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        check(health_pb2.HealthCheckRequest(), metadata=words)
        until(reports(redis, "gateway", "ok"))
        check(health_pb2.HealthCheckRequest(), metadata=(*words, ("fizzbuzz-state", "stopped")))
        until(reports(redis, "gateway", "stopped"))
    known = state_of(redis, "gateway")
    assert known
    assert known.started_ns == NOON_NS
    assert known.at_ns > NOON_NS


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def ns(self) -> int:
        return NOON_NS + round(self.s * 1e9)

    def monotonic_s(self) -> float:
        return self.s


def said(name: str, started: str = "7", state: str = "ok") -> list[tuple[str, str]]:
    return [("fizzbuzz-service", name), ("fizzbuzz-started-ns", started), ("fizzbuzz-state", state)]


def test_callers_are_reported_while_they_ask() -> None:
    clock = Clock()
    callers = Callers(clock.ns, clock.monotonic_s)
    callers.record(said("gateway"))
    clock.s = 1
    callers.record(said("gateway"))
    (state,) = callers.states()
    assert (state.name, state.started_ns, state.since_ns, state.at_ns) == ("gateway", 7, NOON_NS, clock.ns())
    clock.s += 1
    callers.record(said("gateway", started="8"))
    assert [(s.started_ns, s.since_ns) for s in callers.states()] == [(8, clock.ns())]
    clock.s += SILENT_S
    assert callers.states() == []


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        said(""),
        said("a b"),
        said("-a"),
        said("a" * 65),
        said("a\n"),
        said("a", started=""),
        said("a", started="-1"),
        said("a", started="x"),
        said("a", started="9" * 19),
        said("a", started="9" * 5_000),
    ],
)
def test_a_caller_that_is_none_is_ignored(metadata: list[tuple[str, str]]) -> None:
    callers = Callers()
    callers.record(metadata)
    assert callers.states() == []


def test_the_number_of_callers_is_bounded() -> None:
    callers = Callers()
    for index in range(MAX_CALLERS + 10):
        callers.record(said(f"gateway-{index}"))
    assert len(callers.states()) == MAX_CALLERS
    callers.record(said("gateway-0", started="9"))
    assert callers.states()[0].started_ns == 9
