"""The primary of a group is lost or stands still: what follows it, what is kept, and what is not."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from redis import Redis, RedisError

from consumer.enqueuer import Enqueuer
from consumer.rejections import QueueUnavailable, QueueUnreplicated
from consumer.replication import ReplicaWatch
from launcher.configuration import CHECKOUT
from load.ledger import Ledger
from load.verdict import check
from pipeline.queue import client as queue
from pipeline.queue import server_info
from tests.support import redis_group
from tests.support.batches import NOON_NS, arrival
from tests.support.redis_group import Node, RedisGroup
from tests.support.waiting import Stopwatch, awaited, until
from tests.support.workers import FaultyStore, stored, work, working
from web.queue_reader import QueueReader, QueueRequest

TAKES_OVER_S = 15.0


@pytest.fixture
def group() -> Iterator[RedisGroup]:
    with redis_group.running(min_replicas=1) as group:
        yield group


@pytest.fixture
def unfenced() -> Iterator[RedisGroup]:
    with redis_group.running() as group:
        yield group


def enqueuer(redis: Redis, replicas: int) -> Enqueuer:
    return Enqueuer(redis, "consumer-1", queue_limit=100_000, dedupe_window_s=60, replicas=replicas)


def accept(consumer: Enqueuer, ledger: Ledger, number: int) -> bool:
    """Send one message, once; whether it was accepted. The ledger records what was answered."""
    if number >= len(ledger):
        ledger.sent(number)
    try:
        (receipt,) = consumer.accept([arrival(number, "run-1", time.time_ns(), 3)])
    except QueueUnavailable:
        ledger.refused(number)
        return False
    ledger.acknowledged(number, arrived_us=receipt.arrived_ns // 1_000)
    return True


def rows(store: FaultyStore) -> list[tuple[int, int]]:
    found = (store.message("run-1", number) for number in range(1_000))
    return [(each.number, each.arrived_ns) for each in found if each]


def fail_over(group: RedisGroup) -> None:
    """Wait until a replica is the primary."""
    before = group.primary()

    def another() -> bool:
        try:
            return group.primary() != before and group.client("worker").ping()
        except RedisError:
            return False

    until(another, TAKES_OVER_S, "a replica takes over")


def test_rqs_command_line_finds_the_primary(group: RedisGroup) -> None:
    environ = {
        **os.environ,
        "RQ_REDIS_URL": group.url("worker"),
        "RQ_CONNECTION_CLASS": "pipeline.queue.client.AnyRedis",
    }
    command = [sys.executable, "-m", "rq.cli", "info"]
    done = subprocess.run(command, env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 workers" in done.stdout


def test_what_was_accepted_survives_the_loss_of_the_primarys_machine_and_repeats_are_duplicates(
    group: RedisGroup, store: FaultyStore
) -> None:
    consumer, ledger = enqueuer(group.client("consumer"), 1), Ledger()
    assert all(accept(consumer, ledger, number) for number in range(50))
    group.primary_node.lose()
    until(lambda: accept(consumer, ledger, 50), TAKES_OVER_S, "messages are accepted again")
    (repeated,) = consumer.accept([arrival(7, "run-1", NOON_NS, 3)])
    assert (repeated.duplicate, repeated.arrived_ns // 1_000) == (True, ledger.arrived_us(7))
    work(group.client("worker"), store)
    findings = check(ledger, rows(store))
    assert findings.agrees, findings
    assert (findings.acknowledged, findings.stored) == (51, 51)


def lose_primary_while_replicas_are_away(group: RedisGroup, meanwhile: Callable[[], bool]) -> None:
    """The replicas' disks lack what is written ``meanwhile``, and then the primary's machine is lost.

    They are killed, not frozen: the kernel would receive for a frozen process, which reads it when it thaws.
    """
    primary, replicas = group.primary(), group.replicas
    for node in replicas:
        node.kill()
    assert meanwhile()
    group.nodes[primary].lose()
    for node in replicas:
        node.start("--replicaof", "127.0.0.1", str(primary))


def test_without_replicas_a_failover_loses_what_was_acknowledged_and_the_check_finds_it(
    unfenced: RedisGroup, store: FaultyStore
) -> None:
    """What ``FIZZBUZZ_REDIS_REPLICAS`` is for."""
    consumer, ledger = enqueuer(unfenced.client("consumer"), 0), Ledger()
    assert accept(consumer, ledger, 0)
    unfenced.wait_replicated()
    lose_primary_while_replicas_are_away(
        unfenced, lambda: all(accept(consumer, ledger, number) for number in range(1, 11))
    )
    until(lambda: accept(consumer, ledger, 11), 2 * TAKES_OVER_S, "messages are accepted again")
    work(unfenced.client("worker"), store)
    findings = check(ledger, rows(store))
    assert (findings.verdict, findings.acknowledged, findings.lost.count) == ("INVALID", 12, 10)
    assert findings.lost.intervals == ((1, 10),)


def test_with_replicas_the_same_is_not_acknowledged_in_the_first_place(
    unfenced: RedisGroup, store: FaultyStore
) -> None:
    """Nor stored: its job is lost, and the sender's repeat is another one."""
    consumer, ledger = enqueuer(unfenced.client("consumer"), 1), Ledger()
    assert accept(consumer, ledger, 0)
    with working(unfenced.client("worker"), store, replicas=1):
        until(lambda: stored(store) == 1, TAKES_OVER_S)
        lose_primary_while_replicas_are_away(
            unfenced, lambda: not any(accept(consumer, ledger, number) for number in range(1, 4))
        )
        for number in range(1, 4):
            until(lambda number=number: accept(consumer, ledger, number), 2 * TAKES_OVER_S)  # type: ignore[misc]
        until(lambda: stored(store) == 4, TAKES_OVER_S, "all are stored")
    findings = check(ledger, rows(store))
    assert findings.agrees, findings
    assert (findings.acknowledged, findings.stored, findings.compared) == (4, 4, 4)


def test_a_primary_that_was_replaced_while_it_stood_still_accepts_nothing_afterwards(
    group: RedisGroup,
) -> None:
    old = group.primary()
    followed = enqueuer(group.client("consumer"), 1)
    url = group.url("consumer").partition("@")[0].replace("redis+sentinel", "redis")
    direct = enqueuer(
        queue.connect(f"{url}@127.0.0.1:{old}"), 1
    )  # as a consumer that no Sentinel has informed
    ledger, stuck = Ledger(), Ledger()
    assert accept(followed, ledger, 0)
    assert accept(direct, stuck, 1)
    group.nodes[old].freeze()
    fail_over(group)
    group.nodes[old].thaw()
    number = 2
    while not group.is_replica(old):
        assert not accept(direct, stuck, number)
        number += 1
    assert not accept(direct, stuck, number)
    until(lambda: accept(followed, ledger, number + 1), TAKES_OVER_S)
    assert queue.waiting(group.client("consumer")) == 3  # 0, 1 and the last one


def _echo(client: Redis, word: str) -> bytes | None:
    """None where there is no answer."""
    try:
        return cast("bytes", client.echo(word))
    except (RedisError, OSError):
        return None


def test_a_primary_that_gives_no_answer_is_left_and_a_late_answer_is_not_that_of_the_next_command(
    group: RedisGroup,
) -> None:
    client = group.client("consumer")
    assert _echo(client, "before") == b"before"
    primary = group.primary_node
    primary.freeze()
    with pytest.raises(RedisError):
        client.echo("first")
    primary.thaw()
    heard: list[bytes | None] = []

    def answered() -> bool:
        heard.append(_echo(client, "second"))
        return heard[-1] is not None

    until(answered, TAKES_OVER_S, "it answers again")
    assert heard[-1] == b"second"
    primary = group.primary_node
    primary.freeze()  # as if its machine were gone: connections to it stay open
    try:
        until(lambda: _echo(client, "third") == b"third", TAKES_OVER_S, "another one answers")
    finally:
        primary.thaw()


def test_a_sentinel_that_is_lost_while_it_replaces_the_primary_is_replaced_by_another(
    group: RedisGroup,
) -> None:
    """Its machine ends too. The server that it has chosen is promoted then, and named by nobody."""
    consumer, ledger = enqueuer(group.client("consumer"), 1), Ledger()
    assert accept(consumer, ledger, 0)
    group.primary_node.lose()
    watch = Stopwatch()
    leaders = awaited(lambda: _promoting(group), bool, TAKES_OVER_S, "a Sentinel has promoted a replica")
    for one in leaders:
        one.kill()
    until(lambda: accept(consumer, ledger, 1), 3 * TAKES_OVER_S, "messages are accepted again")
    assert watch.seconds < TAKES_OVER_S


def _promoting(group: RedisGroup) -> list[Node]:
    """The Sentinel that has told a replica to be the primary; within a second it hears that it is."""
    return [one for one in group.sentinels if "+failover-state-wait-promotion" in one.text()]


def test_a_planned_failover_is_followed_too(group: RedisGroup) -> None:
    """The old primary goes on as a replica, and answers READONLY."""
    consumer, ledger = enqueuer(group.client("consumer"), 1), Ledger()
    assert accept(consumer, ledger, 0)
    before = group.primary()
    group.fail_over()
    until(lambda: group.primary() != before, TAKES_OVER_S, "the Sentinels name another")
    until(lambda: accept(consumer, ledger, 1), TAKES_OVER_S, "messages are accepted again")
    assert queue.waiting(group.client("worker")) == 2


def test_the_page_reads_from_whichever_is_the_primary(group: RedisGroup) -> None:
    """Its scripts, known to the old one by their digests, are sent to the new one again."""
    reader = QueueReader(queue.connect(group.url("web"), timeout_s=1.0, retries=1), "web-1")
    consumer, ledger = enqueuer(group.client("consumer"), 1), Ledger()
    assert accept(consumer, ledger, 0)
    before = reader.read(QueueRequest())
    assert (before.ledger.queued_jobs, before.ledger.registered) == (1, 1)
    group.primary_node.lose()
    until(lambda: accept(consumer, ledger, 1), TAKES_OVER_S, "messages are accepted again")

    def seen() -> bool:
        try:
            return reader.read(QueueRequest()).ledger.queued_jobs == 2
        except RedisError:
            return False

    until(seen, TAKES_OVER_S, "the page reads again")
    after = reader.read(QueueRequest())
    assert before.server
    assert after.server
    assert before.server.run_id != after.server.run_id


def test_nothing_that_the_group_does_is_denied_to_its_users(group: RedisGroup, store: FaultyStore) -> None:
    consumer, ledger = enqueuer(group.client("consumer"), 1), Ledger()
    assert accept(consumer, ledger, 0)
    lost = group.primary()
    group.nodes[lost].lose()
    until(lambda: accept(consumer, ledger, 1), TAKES_OVER_S, "messages are accepted again")
    work(group.client("worker"), store)
    assert [group.denied(port) for port in group.ports if port != lost] == [[], []]


def test_a_primary_that_no_replica_answers_refuses_every_write_and_says_so(group: RedisGroup) -> None:
    web, client = group.client("web"), group.client("consumer")
    consumer = enqueuer(client, 1)
    assert not server_info.read(web).is_fenced
    for node in group.replicas:
        node.kill()
    until(lambda: server_info.read(web).is_fenced, TAKES_OVER_S, "it is fenced")
    before = client.client_id()
    with pytest.raises(QueueUnreplicated, match="NOREPLICAS"):
        consumer.accept([arrival(1, "run-1", NOON_NS, 3)])
    assert client.client_id() != before  # it may have been replaced: the Sentinels are asked again
    reason = ReplicaWatch(group.client("consumer"), 1).problem() or ""
    assert "Redis has no replica" in reason
    assert queue.waiting(group.client("consumer")) == 0
