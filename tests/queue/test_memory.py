"""A Redis whose memory runs out: senders are refused in time, workers go on, and it recovers by itself."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ExecAbortError, OutOfMemoryError

from consumer.admission import CHECK_FULL_S
from consumer.enqueuer import Enqueuer
from consumer.rejections import QueueFull, QueueOutOfMemory
from pipeline.queue import client as queue
from pipeline.queue import server_info
from pipeline.queue.server_info import ServerInfo
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import arrival
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.workers import work

LIMIT = 4 * 1024 * 1024
JOB = 120
"""Messages a job."""


@pytest.fixture
def redis(own_redis: RedisServer) -> Redis:
    """A Redis with little memory, set up like the product's own."""
    client = own_redis.client()
    client.config_set("maxmemory", LIMIT)
    client.config_set("maxmemory-policy", "noeviction")
    return client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "messages.db")
    yield store
    store.close()


def enqueuer(redis: Redis, monotonic_s: Callable[[], float] = time.monotonic) -> Enqueuer:
    return Enqueuer(redis, "consumer-1", queue_limit=10**9, dedupe_window_s=3_600, monotonic_s=monotonic_s)


def fill(under_test: Enqueuer, numbers: Iterator[int], size: int = JOB) -> tuple[int, QueueFull]:
    """Queue jobs until one is refused; the messages accepted, and the refusal."""
    for accepted in itertools.count(0, size):
        group = list(itertools.islice(numbers, size))
        assert accepted < 1_000_000, "nothing was ever refused"
        try:
            under_test.accept([arrival(number, "run-1", time.time_ns() + number, 3) for number in group])
        except QueueFull as refusal:
            return accepted, refusal
    raise AssertionError


def share_used(redis: Redis) -> float:
    return float(redis.info("memory")["used_memory"]) / LIMIT


def stored(store: SqliteStore) -> int:
    return store.totals().stored


@pytest.mark.parametrize("size", [1, JOB, 1_000])
def test_a_redis_that_runs_out_of_memory_is_emptied_by_workers_and_accepts_again(
    redis: Redis, store: SqliteStore, size: int
) -> None:
    numbers = itertools.count()
    now_s = 0.0
    under_test = enqueuer(redis, lambda: now_s)
    accepted, refusal = fill(under_test, numbers, size)
    assert isinstance(refusal, QueueOutOfMemory)
    assert "no memory left" in str(refusal)
    assert 0.80 < share_used(redis) < 0.92
    work(redis, store)
    assert stored(store) == accepted

    def accepts_more() -> bool:
        """Redis frees its buffers within a moment, and is asked again after a while."""
        nonlocal now_s
        now_s += CHECK_FULL_S
        more, _ = fill(under_test, numbers, size)
        return more > 0

    until(accepts_more, what="it accepts again")


def test_two_consumers_together_leave_workers_their_memory(redis: Redis) -> None:
    numbers = itertools.count()
    first, second = enqueuer(redis), enqueuer(redis)
    full = [False, False]
    while not all(full):
        for index, under_test in enumerate((first, second)):
            try:
                group = list(itertools.islice(numbers, JOB))
                under_test.accept([arrival(n, "run-1", time.time_ns() + n, 3) for n in group])
            except QueueOutOfMemory:
                full[index] = True
    assert share_used(redis) < 0.94


def test_a_full_queue_and_a_full_memory_are_distinguished(redis: Redis) -> None:
    under_test = Enqueuer(redis, "consumer-1", queue_limit=1, dedupe_window_s=3_600)
    _, full = fill(under_test, itertools.count(), 1)
    _, out_of_memory = fill(enqueuer(redis), itertools.count(10))
    assert (full.reason, out_of_memory.reason) == ("queue_full", "queue_memory")
    assert str(full).startswith("the queue is full: 1 messages wait, 1 may")
    assert "the queue is full" not in str(out_of_memory)


def test_memory_that_runs_out_before_a_transaction_is_executed_is_reported_as_such(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = abort_for_want_of_memory(redis)
    under_test = enqueuer(redis)

    def abort(self: Pipeline, raise_on_error: bool = True) -> list[object]:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "execute", abort)
        patch.setattr(server_info, "read", lambda redis: ServerInfo("6.2.0", "noeviction", 0, 0))
        with pytest.raises(QueueOutOfMemory):
            under_test.accept([arrival(0, "run-1", 1, 3)])
    assert not under_test.accept([arrival(0, "run-1", 1, 3)])[0].duplicate


def abort_for_want_of_memory(redis: Redis) -> ExecAbortError:
    """What Redis says where there was room for the commands, and none to execute them."""
    with Redis(connection_pool=redis.connection_pool, single_connection_client=True) as sender:
        sender.execute_command("MULTI")
        sender.execute_command("SET", "a", "b")
        redis.config_set("maxmemory", 1)
        with pytest.raises(ExecAbortError) as aborted:
            sender.execute_command("EXEC")
    redis.config_set("maxmemory", LIMIT)
    return aborted.value


def test_memory_that_runs_out_while_commands_come_is_reported_without_repeating_them(redis: Redis) -> None:
    under_test = enqueuer(redis)
    under_test.accept([arrival(0, "run-1", 1, 3)])
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) + 1)
    with pytest.raises(QueueOutOfMemory) as refused:
        under_test.accept([arrival(1, "run-1", 1, 3)])
    assert isinstance(refused.value.__cause__, OutOfMemoryError)
    assert len(str(refused.value)) < 150
    assert queue.depth(redis) == queue.waiting(redis) == 1
