"""What the page reads from a real Redis, in one round trip, and the event log that it keeps there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import ConnectionPool, Redis
from redis.connection import AbstractConnection
from redis.exceptions import ResponseError

from pipeline.clock import NS_PER_S
from pipeline.message import ClockOffset
from pipeline.queue import client as queue
from pipeline.queue import keys, service_state
from pipeline.queue.service_state import ServiceState
from pipeline.settings import read
from pipeline.store import MessageRejected
from tests.support.batches import NOON_NS
from tests.support.redis_server import RedisServer
from tests.support.workers import FaultyStore, send, work
from web import service
from web.event_log import MAX_EVENTS, Event
from web.event_store import LEASE_MS
from web.queue_reader import QueueReader, QueueRequest


def event(index: int, *, own: bool = False) -> Event:
    return Event(NOON_NS + index * NS_PER_S, "service", f"event {index}", f"start:x:{index}", own)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many commands each round trip had."""
    trips: list[int] = []
    pack = AbstractConnection.pack_commands

    def count(self: Any, commands: Any) -> Any:
        trips.append(len(commands))
        return pack(self, commands)  # type: ignore[no-untyped-call]

    with monkeypatch.context() as patch:
        patch.setattr(AbstractConnection, "pack_commands", count)
        patch.setattr(Redis, "execute_command", lambda *_, **__: pytest.fail("a round trip of its own"))
        yield trips


def test_a_reading_is_one_round_trip(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    send(redis, range(10))
    service_state.report(redis, ServiceState("worker-1", 1, "ok", 1, at_ns=2**62))
    reader = QueueReader(redis, "web")
    reader.read(QueueRequest())
    with counted(monkeypatch) as trips:
        sample = reader.read(QueueRequest(["run-1"], [event(1)], 0))
    assert len(trips) == 1
    assert (sample.ledger.queued_jobs, sample.ledger.waiting, sample.ledger.runs["run-1"].accepted) == (
        1,
        10,
        10,
    )
    assert [state.name for state in sample.services] == ["worker-1"]
    assert sample.server
    assert sample.server.run_id
    assert sample.events
    assert sample.events.events == (event(1),)
    assert sample.failed is None


def test_the_clocks_of_the_runs_that_are_shown_are_read(redis: Redis) -> None:
    for run in ("run-1", "run-2"):
        send(redis, range(3), run=run)
        redis.hset(keys.run(run), "clock", queue.encode_clock(ClockOffset(run, -5, 1)))
    sample = QueueReader(redis, "web").read(QueueRequest(["run-1", "unknown"]))
    assert sample.clock_offsets == {"run-1": ClockOffset("run-1", -5, 1)}


def test_a_redis_that_forgot_the_scripts_is_sent_them_again(redis: Redis) -> None:
    send(redis, range(10))
    reader = QueueReader(redis, "web")
    for _ in range(2):
        redis.script_flush()
        sample = reader.read(QueueRequest(["run-1"], [event(1)]))
        assert (sample.ledger.waiting, sample.events and sample.events.events) == (10, (event(1),))
        assert (sample.server and sample.server.run_id, sample.failed) == (redis.info()["run_id"], None)


def test_readings_share_one_connection(redis: Redis) -> None:
    reader = QueueReader(redis, "web")
    reader.read(QueueRequest())
    before = redis.info("stats")["total_connections_received"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConnectionPool, "get_connection", lambda _: pytest.fail("one of the pool"))
        for _ in range(3):
            reader.read(QueueRequest())
    assert redis.info("stats")["total_connections_received"] == before


def test_a_redis_that_was_restarted_between_two_readings_is_no_error(own_redis: RedisServer) -> None:
    poller = service.poll_queue(read({"REDIS_URL": own_redis.url}, "web"))

    def run_id() -> str | None:
        poller.poll(QueueRequest(events=[event(1)]))
        poller.wait(5)
        return (
            poller.value.server.run_id if not poller.error and poller.value and poller.value.server else None
        )

    first = run_id()
    own_redis.kill()
    own_redis.start()
    second = run_id()
    own_redis.kill()
    assert run_id() is None
    own_redis.start()
    third = run_id()
    assert len({first, second, third} - {None}) == 3


@pytest.mark.parametrize("key", [keys.RQ_QUEUE, keys.LEDGER, keys.STATES])
def test_a_key_that_holds_something_else_is_an_error_of_redis(redis: Redis, key: str) -> None:
    redis.set(key, "something else")
    with pytest.raises(ResponseError):
        QueueReader(redis, "web").read(QueueRequest())


def test_a_baseline_is_set_once(redis: Redis) -> None:
    reader = QueueReader(redis, "web")
    assert reader.read(QueueRequest(baseline=7)).ledger.accepted is None
    assert reader.read(QueueRequest(baseline=9)).ledger.accepted == 7


def test_failed_jobs_are_named_with_their_reasons(redis: Redis, tmp_path: Any) -> None:
    store = FaultyStore(tmp_path / "messages.db")

    def refuse(batches: Any) -> None:
        raise MessageRejected("the value is too large")

    store.fault = refuse
    for number in range(5):
        send(redis, [number])
        work(redis, store)
    failed = QueueReader(redis, "web").read(QueueRequest()).failed
    assert failed
    assert (failed.jobs, len(failed.newest)) == (5, 3)
    assert all("the value is too large" in reason for _, reason in failed.newest)


def test_the_log_is_bounded_and_in_the_order_of_time(redis: Redis) -> None:
    reader = QueueReader(redis, "web")
    for start in range(0, 100, 10):
        sample = reader.read(QueueRequest(events=[event(index) for index in range(start, start + 10)]))
    assert sample.events
    assert [each.text for each in sample.events.events] == [
        f"event {index}" for index in range(100 - MAX_EVENTS, 100)
    ]
    assert redis.zcard(keys.EVENTS) == MAX_EVENTS


def test_an_event_that_is_written_again_is_there_once(redis: Redis) -> None:
    reader = QueueReader(redis, "web")
    for _ in range(3):
        sample = reader.read(QueueRequest(events=[event(1)]))
    assert sample.events
    assert len(sample.events.events) == 1


def test_one_replica_writes_and_another_takes_over_when_it_is_gone(redis: Redis) -> None:
    first, second = QueueReader(redis, "web-1"), QueueReader(redis, "web-2")
    written = first.read(QueueRequest(events=[event(1)])).events
    refused = second.read(QueueRequest(events=[event(2), event(3, own=True)])).events
    assert written
    assert refused
    assert (written.writes, refused.writes) == (True, False)
    assert [each.text for each in refused.events] == ["event 1", "event 3"]
    redis.delete(keys.EVENTS_WRITER)  # its lease has expired
    taken = second.read(QueueRequest(events=[event(2)])).events
    assert taken
    assert taken.writes
    assert not (first.read(QueueRequest()).events or taken).writes


def test_a_log_of_another_version_is_passed_over(redis: Redis) -> None:
    redis.zadd(keys.EVENTS, {b'{"text": "?"}': 1, b"\xff": 2, b"[1]": 3})
    sample = QueueReader(redis, "web").read(QueueRequest(events=[event(1)]))
    assert sample.events
    assert [each.text for each in sample.events.events] == ["event 1"]


def test_a_reading_that_has_nothing_to_write_writes_nothing(redis: Redis) -> None:
    reader = QueueReader(redis, "web")
    reader.read(QueueRequest(events=[event(1)]))
    redis.pexpire(keys.EVENTS_WRITER, 100 * LEASE_MS)  # it is not to be renewed here, however long this takes
    before = _writes(redis)
    for _ in range(5):
        reader.read(QueueRequest(["run-1"]))
    assert _writes(redis) == before


def _writes(redis: Redis) -> dict[str, int]:
    """How often each command that writes was called, also by scripts."""
    called = redis.info("commandstats")
    writing = [name for name, command in redis.command().items() if "write" in command["flags"]]
    return {name: called[f"cmdstat_{name}"]["calls"] for name in writing if f"cmdstat_{name}" in called}


def test_a_redis_without_memory_is_still_read_and_reported(own_redis: RedisServer) -> None:
    redis = own_redis.client()
    reader = QueueReader(redis, "web")
    send(redis, range(1_000))
    reader.read(QueueRequest(events=[event(1)]))
    redis.config_set("maxmemory", 1_000_000)
    sample = reader.read(QueueRequest(["run-1"], [event(2)]))
    assert sample.ledger.waiting == 1_000
    assert sample.server
    assert "bytes are used, 85% may be" in str(sample.server.full)
    assert sample.events
    assert [each.text for each in sample.events.events] == ["event 1", "event 2"]
