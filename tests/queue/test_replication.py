"""A message is accepted once replicas of Redis have it on disk too, and not before."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from consumer.enqueuer import Enqueuer, Receipt
from consumer.rejections import QueueUnreplicated
from consumer.replication import ReplicaWatch
from pipeline.queue import client as queue
from pipeline.queue import replication
from pipeline.queue.replication import NotReplicated
from tests.support import redis_group
from tests.support.batches import NOON_NS, arrival
from tests.support.redis_group import Node, RedisGroup
from tests.support.waiting import Stopwatch, never, until
from tests.support.workers import FaultyStore, stored, working


@pytest.fixture(scope="module")
def shared_group() -> Iterator[RedisGroup]:
    with redis_group.running() as group:
        yield group


@pytest.fixture
def group(shared_group: RedisGroup) -> Iterator[RedisGroup]:
    """One that has its first primary before and after each test."""
    shared_group.admin(shared_group.primary()).flushall()
    shared_group.wait_replicated()
    yield shared_group
    for node in shared_group.replicas:
        node.thaw()


def enqueuer(redis: Redis, replicas: int) -> Enqueuer:
    return Enqueuer(redis, "consumer-1", queue_limit=100_000, dedupe_window_s=60, replicas=replicas)


def accept(redis: Redis, replicas: int, number: int = 7, at_ns: int = NOON_NS, **options: Any) -> Receipt:
    """The receipt of one message."""
    (receipt,) = enqueuer(redis, replicas).accept([arrival(number, "run-1", at_ns, 3)], **options)
    return receipt


def freeze_replicas(group: RedisGroup, count: int) -> None:
    for node in group.replicas[:count]:
        node.freeze()


def thaw_all(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.thaw()


def patient(group: RedisGroup, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """A client for those that must confirm: on a busy machine that may take longer than a commit may."""
    monkeypatch.setattr(replication, "WAIT_S", 20.0)
    return group.client("consumer", timeout_s=60.0)


def on_disk(group: RedisGroup, text: bytes) -> int:
    """How many servers have it in their append-only files."""
    return sum(
        any(text in file.read_bytes() for file in node.folder.glob("appendonlydir/*"))
        for node in group.nodes.values()
    )


def test_what_was_accepted_is_on_the_disks_of_the_primary_and_of_all_replicas(
    group: RedisGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(patient(group, monkeypatch), replicas=2, number=77_001)
    assert on_disk(group, b"77001") == 3


@pytest.mark.parametrize(("frozen", "needed"), [(1, 2), (2, 1), (2, 2)])
def test_with_too_few_replicas_it_is_not_accepted_and_a_repeat_is_a_duplicate_with_its_first_arrival(
    group: RedisGroup, monkeypatch: pytest.MonkeyPatch, frozen: int, needed: int
) -> None:
    redis = group.client("consumer")
    freeze_replicas(group, frozen)
    with pytest.raises(QueueUnreplicated, match=rf"\d of {needed} replicas confirmed"):
        accept(redis, needed)
    for node in group.replicas:
        node.thaw()
    group.wait_replicated()
    redis = patient(group, monkeypatch)
    assert accept(redis, needed, at_ns=NOON_NS + 1) == Receipt(NOON_NS, duplicate=True)
    assert (queue.depth(redis), queue.waiting(redis)) == (1, 1)


def test_one_replica_of_two_is_enough_where_one_is_needed(
    group: RedisGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze_replicas(group, 1)
    assert accept(patient(group, monkeypatch), replicas=1) == Receipt(NOON_NS, duplicate=False)


def test_without_the_setting_no_replica_is_waited_for(group: RedisGroup) -> None:
    freeze_replicas(group, 2)
    assert accept(group.client("consumer"), replicas=0) == Receipt(NOON_NS, duplicate=False)


@pytest.mark.parametrize("left_s", [0.2, 0.0, -1.0])
def test_replicas_are_waited_for_no_longer_than_callers_wait(group: RedisGroup, left_s: float) -> None:
    """A timeout of 0 would be none: Redis would wait for ever."""
    freeze_replicas(group, 2)
    with pytest.raises(QueueUnreplicated, match=f"within {max(0.0, left_s):.1f} s"):
        accept(group.client("consumer"), replicas=1, time_left_s=lambda: left_s)


def test_a_replica_that_comes_in_time_is_enough(group: RedisGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the write and the question at once, and its first answer is from before its fsync."""
    freeze_replicas(group, 2)
    in_time_s = replication.WAIT_S
    redis = patient(group, monkeypatch)
    thaw = threading.Timer(0.2, thaw_all, [group.replicas])
    thaw.start()
    watch = Stopwatch()
    assert accept(redis, replicas=2) == Receipt(NOON_NS, duplicate=False)
    assert watch.seconds < in_time_s
    thaw.join()


def test_a_connection_that_was_made_after_the_write_confirms_nothing(group: RedisGroup) -> None:
    """Redis itself would say at once that all replicas have it: it counts the writes of that connection."""
    redis = group.client("consumer")
    freeze_replicas(group, 2)
    assert group.client("worker").execute_command("WAITAOF", 1, 2, 200) == [1, 2]  # type: ignore[no-untyped-call]
    pipelines: list[Any] = []

    def reconnect() -> float:
        connection = pipelines[0].connection
        connection.disconnect()
        connection.connect()
        return 0.3

    with replication.pipeline(redis, 2, time_left_s=reconnect) as pipeline:
        pipelines.append(pipeline)
        pipeline.incr("fizzbuzz:test")
        with pytest.raises(RedisConnectionError, match="the connection was lost"):
            pipeline.execute()


class Connection:
    """Answers WAITAOF as a test says."""

    def __init__(self, *answers: tuple[int, int]) -> None:
        self.socket = self._sock = object()
        self._answers = list(answers)
        self.asked: list[tuple[Any, ...]] = []

    def send_command(self, *words: Any) -> None:
        self.asked.append(words)

    def read_response(self) -> tuple[int, int]:
        return self._answers.pop(0)


def test_replicas_are_asked_again_and_again_until_enough_have_it() -> None:
    connection = Connection((1, 0), (1, 1), (0, 2), (1, 2))
    assert replication.wait(connection, connection.socket, 2, 1.0, monotonic_s=lambda: 0.0) == (True, 2)
    assert [words[:3] for words in connection.asked] == [("WAITAOF", 1, 2)] * 4
    assert [words[3] for words in connection.asked] == [5, 10, 20, 40]


def test_what_the_primary_itself_does_not_have_on_disk_is_not_confirmed() -> None:
    connection = Connection((0, 2))
    found = replication.wait(connection, connection.socket, 2, 0.001, monotonic_s=lambda: 0.0)
    assert found == (False, 2)
    assert str(NotReplicated(2, 2, 0.5)).startswith("the replicas and not the primary confirmed within 0.5 s")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the worker logged."""
    return [record.getMessage() for record in caplog.records if record.name == "worker"]


def test_a_worker_stores_only_what_enough_replicas_have(
    group: RedisGroup, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a message that was not accepted would be stored, lost by a failover, and come again as another."""
    freeze_replicas(group, 2)
    with pytest.raises(QueueUnreplicated):
        accept(group.client("consumer"), replicas=1)
    with working(group.client("worker"), store, replicas=1):
        until(lambda: said(caplog), 20, "the worker says why")
        assert never(lambda: stored(store), 4.0)
        (line,) = said(caplog)
        assert line.startswith("what was dequeued is not on the disks of enough replicas of Redis;")
        for node in group.replicas:
            node.thaw()
        until(lambda: stored(store) == 1, 20, "it is stored once replicas have it")


def test_readiness_names_the_replicas_that_count(group: RedisGroup) -> None:
    watch = ReplicaWatch(group.client("consumer"), 2)
    first, second = sorted(port for port in group.ports if port != group.primary())
    until(lambda: watch.problem() is None, 20, "both count")
    assert watch.described == f"2 replicas: 127.0.0.1:{first}, 127.0.0.1:{second}"
    group.nodes[second].freeze()
    words = ("1 of 2 replicas confirmed", f"127.0.0.1:{second} (no answer for", f"127.0.0.1:{first},")
    reason = ""

    def is_named() -> bool:  # on a busy machine the other one may be late for a moment too
        nonlocal reason
        reason = watch.problem() or ""
        return all(word in reason for word in words)

    until(is_named, 20, f"{words} are said")


def test_more_replicas_than_there_are_is_one_clear_line(group: RedisGroup) -> None:
    reason = ReplicaWatch(group.client("consumer"), 3).problem() or ""
    assert reason.startswith("FIZZBUZZ_REDIS_REPLICAS=3, but Redis has 2 replicas: 127.0.0.1:")
    assert "\n" not in reason
