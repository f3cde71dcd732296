"""The consumer as a process: what it rejects, when it ends, and where it listens."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from redis import Redis

from consumer.__main__ import MAX_CALLS, THREADS
from pipeline.essential import EXIT_STATUS
from pipeline.message import MAX_BATCH
from pipeline.queue import client as queue
from pipeline.queue import keys
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc
from tests.support.consumer_process import ConsumerProcess, code_of, reached, store
from tests.support.redis_server import RedisServer
from tests.support.states import read_states
from tests.support.waiting import until

Start = Callable[..., ConsumerProcess]


@pytest.fixture
def start(own_redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    """Starts a consumer on ``own_redis``, however long that is frozen; ended after the test."""
    started: list[ConsumerProcess] = []

    def start(**settings: str) -> ConsumerProcess:
        started.append(ConsumerProcess(tmp_path, own_redis.patient_url, **settings))
        return started[-1]

    yield start
    own_redis.thaw()
    for consumer in started:
        consumer.signal(signal.SIGCONT)
        consumer.kill()


@pytest.fixture
def redis(own_redis: RedisServer) -> Redis:
    return own_redis.client()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_it_does_not_start_on_a_redis_that_evicts(start: Start, redis: Redis, policy: str) -> None:
    redis.config_set("maxmemory-policy", policy)
    consumer = start()
    assert consumer.wait() == 1
    (line,) = consumer.log()
    assert line["level"] == "error"
    assert policy in line["message"]
    assert "set maxmemory-policy noeviction" in line["message"]


def test_a_redis_that_begins_to_evict_is_refused_until_it_no_longer_does(start: Start, redis: Redis) -> None:
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        assert len(store(channel, 0).result().receipts) == 1
        redis.config_set("maxmemory-policy", "allkeys-lru")
        until(lambda: not consumer.ready)
        until(lambda: code_of(store(channel, 0)) is grpc.StatusCode.UNAVAILABLE)
        refused = store(channel, 1)
        assert code_of(refused) is grpc.StatusCode.UNAVAILABLE
        assert "maxmemory-policy allkeys-lru" in refused.details()
        assert consumer.metric("fizzbuzz_consumer_refused_calls_total", reason="queue_unfit") >= 1
        redis.config_set("maxmemory-policy", "noeviction")
        consumer.wait_ready()
        until(lambda: code_of(store(channel, 1)) is grpc.StatusCode.OK)
    assert queue.waiting(redis) == 2


def test_a_redis_that_is_unavailable_at_the_start_is_waited_for_and_checked_then(
    start: Start, own_redis: RedisServer
) -> None:
    own_redis.kill()
    consumer = start()
    until(lambda: any("Redis is unavailable" in line["message"] for line in consumer.log()))
    own_redis.start("--maxmemory-policy", "allkeys-lru")
    until(lambda: any("allkeys-lru" in line["message"] for line in consumer.log()))
    assert not consumer.ready
    own_redis.client().config_set("maxmemory-policy", "noeviction")
    consumer.wait_ready()


def test_no_memory_and_a_full_queue_are_distinguished_for_the_caller_and_on_metrics(
    start: Start, redis: Redis
) -> None:
    consumer = start(FIZZBUZZ_QUEUE_LIMIT="3")
    consumer.wait_ready()
    refused = "fizzbuzz_consumer_refused_calls_total"
    with consumer.channel() as channel:
        store(channel, 0, 1, 2).result()
        full = store(channel, 3)
        assert code_of(full) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert full.details() == "the queue is full: 3 messages wait, 3 may"
        assert consumer.metric(refused, reason="queue_full") == 1
        redis.delete(keys.WAITING)
        redis.config_set("maxmemory", 900_000)
        until(lambda: code_of(store(channel, 3)) is grpc.StatusCode.RESOURCE_EXHAUSTED)
        no_memory = store(channel, 4)
        assert code_of(no_memory) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert no_memory.details().startswith("Redis has no memory left")
        limit = "fizzbuzz_consumer_redis_memory_limit_bytes"
        until(lambda: consumer.metric(limit) == 900_000)  # by then it has checked since
        until(lambda: not consumer.ready)
        assert consumer.metric(refused, reason="queue_memory") >= 1
        assert consumer.metric(refused, reason="queue_full") == 1


def test_a_redis_without_memory_at_the_start_is_said_to_be_that_and_used_once_there_is_some(
    start: Start, redis: Redis
) -> None:
    redis.config_set("maxmemory", 900_000)
    consumer = start()
    until(lambda: any("no memory left" in line["message"] for line in consumer.log()))
    assert not any("Redis is unavailable" in line["message"] for line in consumer.log())
    redis.config_set("maxmemory", 0)
    consumer.wait_ready()
    until(lambda: [one.state for one in read_states(redis)] == ["ok"])


def test_a_call_has_no_more_clocks_than_it_may_have_messages(start: Start, redis: Redis) -> None:
    consumer = start()
    consumer.wait_ready()
    clocks = [pb.ClockOffset(run=f"run-{index}", offset_ns=1, error_ns=1) for index in range(MAX_BATCH + 1)]
    request = pb.StoreRequest(messages=[pb.Message(run="run-1", number=0, sent_ns=1)], clocks=clocks)
    with consumer.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        pb_grpc.ConsumerStub(channel).Store(request, timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert redis.keys("fizzbuzz:run:*") == []


def test_a_health_thread_that_dies_ends_the_process(start: Start, redis: Redis) -> None:
    consumer = start()
    consumer.wait_ready()
    redis.set(keys.WAITING, "no number")  # nothing that the thread foresees
    assert consumer.wait() == EXIT_STATUS
    assert "thread health died" in consumer.log()[-1]["message"]


def test_calls_beyond_what_it_can_hold_are_refused_at_once(start: Start, own_redis: RedisServer) -> None:
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        own_redis.freeze()
        calls = [store(channel, number, timeout_s=60) for number in range(MAX_CALLS + 50)]
        until(lambda: sum(call.done() for call in calls) >= 50)
        early = [call for call in calls if call.done()]
        assert {code_of(call) for call in early} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        own_redis.thaw()
        until(lambda: all(call.done() for call in calls))


def test_calls_whose_deadline_passed_while_they_waited_for_a_commit_are_not_committed(
    start: Start, own_redis: RedisServer
) -> None:
    """A frozen process sees that their time is over when it thaws, in any order with the commit's end."""
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        reached(channel)  # so that there is a connection
        own_redis.freeze()
        store(channel, 0)
        waiting = [store(channel, 1_000 + number, timeout_s=4.0) for number in range(THREADS - 8)]
        reached(channel)
        consumer.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, consumer.pid, os.WSTOPPED)  # all of its threads have stopped
        own_redis.thaw()
        assert {code_of(call) for call in waiting} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        late = store(channel, 2, timeout_s=3.0)  # the consumer's deadlines began a little after the callers'
        assert code_of(late) is grpc.StatusCode.DEADLINE_EXCEEDED
        consumer.signal(signal.SIGCONT)
        store(channel, 5_000).result()  # behind them all
    arrived = own_redis.client().hkeys("fizzbuzz:arrival:run-1:10")
    assert len(arrived) <= 1  # the one whose commit may have been under way


def test_a_call_that_its_caller_gave_up_while_it_waited_is_not_committed(
    start: Start, own_redis: RedisServer
) -> None:
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        reached(channel)  # so that there is a connection
        own_redis.freeze()
        store(channel, 0)
        given_up = [store(channel, 1_000 + number, timeout_s=10.0) for number in range(20)]
        assert code_of(store(channel, 1, timeout_s=0.2)) is grpc.StatusCode.DEADLINE_EXCEEDED
        reached(channel)
        for call in given_up:
            call.cancel()
        assert code_of(store(channel, 2, timeout_s=0.2)) is grpc.StatusCode.DEADLINE_EXCEEDED
        reached(channel)
        own_redis.thaw()  # by now the consumer knows
        store(channel, 5_000).result()  # behind them all
    arrived = own_redis.client().hkeys("fizzbuzz:arrival:run-1:10")
    assert len(arrived) <= 1  # the one whose commit may have been under way


def test_a_stop_commits_the_calls_that_are_under_way_and_takes_no_more(
    start: Start, own_redis: RedisServer
) -> None:
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        reached(channel)  # so that there is a connection
        own_redis.freeze()
        calls = [store(channel, number, timeout_s=60) for number in range(20)]
        reached(channel)
        consumer.signal(signal.SIGTERM)
        refused = grpc.StatusCode.UNAVAILABLE
        until(lambda: code_of(store(channel, 2_000, timeout_s=0.2)) is refused)
        own_redis.thaw()
        assert [len(call.result().receipts) for call in calls] == [1] * 20
    assert consumer.wait() == 0
    assert queue.waiting(own_redis.client()) >= 20


def test_what_is_accepted_is_counted_as_its_metrics_say(start: Start) -> None:
    consumer = start()
    consumer.wait_ready()
    with consumer.channel() as channel:
        assert len(store(channel, 0, 1, 2).result().receipts) == 3
        assert len(store(channel, 1).result().receipts) == 1
    assert consumer.metric("fizzbuzz_consumer_accepted_messages_total") == 4
    assert consumer.metric("fizzbuzz_consumer_duplicate_messages_total") == 1
    assert consumer.metric("fizzbuzz_consumer_commit_messages_count") == 2
    assert consumer.metric("fizzbuzz_consumer_commit_messages_sum") == 4
    assert consumer.metric("fizzbuzz_consumer_transmission_seconds_count") == 3


def test_it_listens_on_the_loopback_alone_wherever_the_rest_of_the_system_listens(start: Start) -> None:
    consumer = start(FIZZBUZZ_BIND="0.0.0.0")
    consumer.wait_ready()
    assert consumer.metrics_address.startswith("127.0.0.1:")
    for port in (consumer.port, int(consumer.metrics_address.rpartition(":")[2])):
        socket.create_connection(("127.0.0.1", port), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), 5)


def test_it_listens_elsewhere_where_that_is_set(start: Start) -> None:
    consumer = start(FIZZBUZZ_GRPC_BIND="0.0.0.0", FIZZBUZZ_METRICS_BIND="0.0.0.0")
    until(lambda: "0.0.0.0" in str(consumer.log()))
    until(lambda: bool(consumer.metrics_address))
    assert consumer.metrics_address.startswith("0.0.0.0:")
    for port in (consumer.port, int(consumer.metrics_address.rpartition(":")[2])):
        socket.create_connection(("127.0.0.2", port), 5).close()
