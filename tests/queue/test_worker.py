"""What the queue's worker promises, on a real Redis and a real SQLite."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend
from rq.worker import SimpleWorker

from pipeline.message import Batch
from pipeline.queue import client as queue
from pipeline.queue import keys
from pipeline.queue.job import decode
from pipeline.stop import Stop
from pipeline.store import MessageRejected, StoreUnavailable
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import batch
from tests.support.redis_server import RedisServer
from tests.support.waiting import Stopwatch, never, until
from tests.support.workers import (
    INTERMEDIATE,
    QUEUE,
    STARTED,
    FaultyStore,
    failed,
    is_paused,
    kill_while_dequeuing,
    kill_while_writing,
    reason,
    send,
    stored,
    work,
    working,
)
from worker import batch_writer, job_runner, rq_adapter
from worker import worker as worker_module
from worker.batch_writer import BatchWriter, ShutdownRequested
from worker.maintenance import Maintenance
from worker.rq_adapter import RqQueue
from worker.worker import ABANDONED_AFTER_S, Worker


def test_a_job_is_stored_and_leaves_nothing_behind(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1, 2])
    work(redis, store)
    assert stored(store) == 3
    assert redis.keys("rq:job:*") == []
    assert redis.keys("rq:queue:*") == []


def test_jobs_that_wait_together_are_stored_together(redis: Redis, store: FaultyStore) -> None:
    writes: list[int] = []
    store.fault = lambda batches: writes.append(len(batches))
    for number in range(100):
        send(redis, [number])
    work(redis, store)
    assert writes == [64, 36]
    assert stored(store) == 100
    assert redis.keys("rq:job:*") == []


def test_what_comes_soon_after_the_first_job_is_dequeued_with_it(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = RqQueue(redis, "worker-1", lease_s=ABANDONED_AFTER_S)
    gathered_s: list[float] = []

    def gather(seconds: float) -> None:
        gathered_s.append(seconds)
        send(redis, [1])

    monkeypatch.setattr(rq_adapter, "time", SimpleNamespace(sleep=gather, time=time.time))
    with ThreadPoolExecutor(1) as pool:
        dequeued = pool.submit(jobs.dequeue, wait_s=30, gather_s=0.5)
        until(lambda: any(client["cmd"] == "blmove" for client in redis.client_list()))
        send(redis, [0])
        assert len(dequeued.result().held) == 2
    assert gathered_s == [0.5]
    assert redis.llen(INTERMEDIATE) == 0


def test_an_id_that_is_queued_twice_is_one_job(redis: Redis, store: FaultyStore) -> None:
    writes: list[int] = []
    store.fault = lambda batches: writes.append(len(batches))
    send(redis, [0, 1])
    redis.rpush(QUEUE, *redis.lrange(QUEUE, 0, -1))
    work(redis, store)
    assert (writes, stored(store)) == ([1], 2)
    assert redis.keys("rq:*ob:*") == []


def test_a_foreign_job_is_kept_aside_and_the_others_are_stored(redis: Redis, store: FaultyStore) -> None:
    foreign = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    foreign.enqueue("os.system", "true")
    redis.hset(foreign.enqueue("consumer.job.store", {}).key, "data", b"no JSON")
    send(redis, [0])
    work(redis, store)
    assert stored(store) == 1
    assert len(failed(redis)) == 2


def test_what_an_earlier_receipt_brought_is_left_out(redis: Redis, store: FaultyStore) -> None:
    written: list[list[list[int]]] = []
    store.fault = lambda batches: written.append(
        [[a.message.number for a in batch.arrivals] for batch in batches]
    )
    send(redis, [0, 1])
    send(redis, [1, 2])
    send(redis, [0, 1])
    work(redis, store)
    assert written == [[[0, 1], [2]]]
    assert stored(store) == 3


def test_a_job_waits_while_the_store_is_unavailable_with_its_own_arrival_times(
    redis: Redis, store: FaultyStore
) -> None:
    tries = iter(range(4))

    def away_three_times(batches: Sequence[Batch]) -> None:
        if next(tries) < 3:
            raise StoreUnavailable("unavailable")

    store.fault = away_three_times
    send(redis, [0])
    (job,) = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).jobs
    arrived_ns = job.args[0]["messages"][0][4]
    with patch.object(batch_writer, "FIRST_DELAY_S", 0.001):
        work(redis, store)
    (run,) = store.runs(2)
    assert run.first_arrived_ns == arrived_ns
    assert failed(redis) == []


def test_a_group_that_is_too_much_for_the_store_is_written_in_smaller_ones(
    redis: Redis, store: FaultyStore
) -> None:
    sizes: list[int] = []

    def too_slow_for_three(batches: Sequence[Batch]) -> None:
        sizes.append(len(batches))
        if len(batches) > 2:
            raise StoreUnavailable("no answer within 5 s")

    store.fault = too_slow_for_three
    for number in range(8):
        send(redis, [number])
    with patch.object(batch_writer, "FIRST_DELAY_S", 0.001):
        work(redis, store)
    assert stored(store) == 8
    tries = batch_writer.TRIES_TOGETHER
    assert sizes == [8] * tries + [4] * tries + [2] * 4


def test_after_an_outage_groups_grow_again(store: FaultyStore) -> None:
    sizes: list[int] = []

    def unavailable_at_first(batches: Sequence[Batch]) -> None:
        sizes.append(len(batches))
        if len(sizes) <= 2 * batch_writer.TRIES_TOGETHER:
            raise StoreUnavailable("unavailable")

    store.fault = unavailable_at_first
    writer = BatchWriter(store, heartbeat=lambda: None, stop=Stop())
    with patch.object(batch_writer, "FIRST_DELAY_S", 0.001):
        writer.write([batch([number]) for number in range(4)])
        writer.write([batch([number]) for number in range(4, 30)])
    assert sizes[6:] == [1] * 10 + [2] * 10


@pytest.mark.parametrize("error", [MessageRejected("beyond the retention"), RuntimeError("unforeseen")])
def test_a_database_that_is_back_and_rejects_is_no_longer_reported_as_unavailable(
    store: FaultyStore, error: Exception
) -> None:
    problems: list[str] = []

    def unavailable_then_rejecting(batches: Sequence[Batch]) -> None:
        problems.append(writer.problem)
        raise StoreUnavailable("unavailable") if len(problems) == 1 else error

    store.fault = unavailable_then_rejecting
    writer = BatchWriter(store, heartbeat=lambda: None, stop=Stop())
    with patch.object(batch_writer, "FIRST_DELAY_S", 0.001):
        writer.write([batch([0])])
    assert [*problems, writer.problem] == ["", "unavailable", "", ""]


def test_a_worker_that_no_longer_writes_claims_nothing_about_the_database(store: FaultyStore) -> None:
    problems: list[str] = []

    def unavailable(batches: Sequence[Batch]) -> None:
        raise StoreUnavailable("unavailable")

    def heartbeat() -> None:
        problems.append(writer.problem)
        raise RedisError

    store.fault = unavailable
    writer = BatchWriter(store, heartbeat=heartbeat, stop=Stop())
    with patch.object(batch_writer, "HEARTBEAT_S", 0.0), pytest.raises(RedisError):
        writer.write([batch([0])])
    assert [*problems, writer.problem] == ["unavailable", ""]


def test_a_slow_database_that_takes_groups_one_after_another_keeps_no_heartbeat_waiting(
    store: FaultyStore,
) -> None:
    beats: list[float] = []

    def slow(batches: Sequence[Batch]) -> None:
        if len(batches) > 1:
            raise StoreUnavailable("too many")
        time.sleep(0.3)

    store.fault = slow
    stop = Stop()
    writer = BatchWriter(store, heartbeat=lambda: beats.append(time.monotonic()), stop=stop)
    with patch.object(batch_writer, "FIRST_DELAY_S", 0.001), patch.object(batch_writer, "HEARTBEAT_S", 0.2):
        writer.write([batch([number]) for number in range(4)])
        assert len(beats) >= 3
        stop.request()
        with pytest.raises(ShutdownRequested):
            writer.write([batch([number]) for number in range(4, 8)])


def test_a_job_that_a_worker_without_memory_could_not_read_is_run_again(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0])
    errors = iter([MemoryError()])

    def without_memory(*arguments: Any, **options: Any) -> Any:
        if error := next(errors, None):
            raise error
        return decode(*arguments, **options)

    with patch.object(job_runner, "decode", without_memory), patch.object(worker_module, "RETRY_S", 0.01):
        work(redis, store)
    assert (stored(store), failed(redis)) == (1, [])


def test_a_job_that_can_never_be_stored_is_kept_with_its_reason_and_can_be_requeued(
    redis: Redis, store: FaultyStore
) -> None:
    def refuse(batches: Sequence[Batch]) -> None:
        raise MessageRejected("beyond the retention")

    store.fault = refuse
    send(redis, [7])
    work(redis, store)
    (job,) = failed(redis)
    assert "run run-1 number 7: beyond the retention" in reason(job)
    store.fault = lambda batches: None
    job.requeue()
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


def test_only_the_messages_at_fault_are_rejected(redis: Redis, store: FaultyStore) -> None:
    def refuse_odd_sixes(batches: Sequence[Batch]) -> None:
        if any(a.message.number in {6, 13} for batch in batches for a in batch.arrivals):
            raise MessageRejected("unlucky")

    store.fault = refuse_odd_sixes
    send(redis, list(range(20)))
    work(redis, store)
    assert stored(store) == 18
    (job,) = failed(redis)
    assert "2 of 20 messages rejected" in reason(job)


def test_a_stop_while_the_store_is_unavailable_requeues_the_job(redis: Redis, store: FaultyStore) -> None:
    stop = Stop()

    def away_and_stop(batches: Sequence[Batch]) -> None:
        stop.request()
        raise StoreUnavailable("unavailable")

    store.fault = away_and_stop
    send(redis, [0])
    Worker("worker-1", redis, store, stop).run()
    assert queue.depth(redis) == 1
    store.fault = lambda batches: None
    work(redis, store)
    assert stored(store) == 1


def test_a_stop_finishes_the_current_job(redis: Redis, store: FaultyStore) -> None:
    stop = Stop()
    store.fault = lambda batches: stop.request()
    send(redis, [0])
    Worker("worker-1", redis, store, stop).run()
    assert stored(store) == 1
    assert redis.keys("rq:job:*") == []


def test_a_stop_leaves_what_waits_to_the_next_start(redis: Redis, store: FaultyStore) -> None:
    stop = Stop()
    stop.request()
    send(redis, [0])
    Worker("worker-1", redis, store, stop).run()
    assert queue.depth(redis) == 1


def test_a_stop_ends_the_worker_while_redis_is_unavailable(
    own_redis: RedisServer, store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    with working(own_redis.client(), store) as worker:
        until(lambda: worker.alive)
        own_redis.kill()
        until(lambda: "Redis is unavailable" in caplog.text, what="the worker knows it")
        watch = Stopwatch()
    assert watch.seconds < 8


def test_a_worker_that_restarts_requeues_its_own_job_at_once(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    kill_while_writing(redis, store, "worker-1")
    assert queue.depth(redis) == 0
    work(redis, store, "worker-1")
    assert stored(store) == 2
    assert failed(redis) == []


def test_another_worker_runs_an_abandoned_job_within_15_seconds(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    kill_while_writing(redis, store, "worker-1")
    started, watch = time.monotonic(), Stopwatch()
    with working(redis, store, "worker-2"):
        until(lambda: stored(store) == 2)
    assert time.monotonic() - started > ABANDONED_AFTER_S - 1
    assert watch.seconds < 15


def test_a_worker_that_starts_runs_at_once_what_another_dequeued_and_never_started(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0, 1])
    send(redis, [2, 3])
    kill_while_dequeuing(redis)
    work(redis, store, "worker-2")
    assert stored(store) == 4
    assert redis.llen(INTERMEDIATE) == 0
    assert failed(redis) == []


def test_a_job_that_was_dequeued_but_never_started_is_requeued(redis: Redis, store: FaultyStore) -> None:
    with working(redis, store, "worker-2") as worker:
        until(lambda: worker.alive)
        redis.set("rq:suspended", 1)  # so that this worker is not the one that dequeues it
        until(lambda: is_paused(worker), what="the worker pauses")
        send(redis, [0, 1])
        kill_while_dequeuing(redis)
        redis.delete("rq:suspended")
        until(lambda: stored(store) == 2, within_s=15)
    assert redis.llen(INTERMEDIATE) == 0


def test_a_job_that_is_interrupted_often_never_fails(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0])
    for _ in range(20):
        kill_while_writing(redis, store)
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


def test_a_worker_that_was_only_frozen_writes_nothing_twice(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])

    def meanwhile(batches: Sequence[Batch]) -> None:
        store.fault = lambda batches: None
        work(redis, SqliteStore(store.path), "worker-1")  # as if it had come back: reclaims the job

    store.fault = meanwhile
    work(redis, store)
    assert stored(store) == 2
    assert failed(redis) == []
    assert redis.keys("rq:job:*") == []
    assert redis.keys(f"{QUEUE}*") == []


def test_a_worker_so_slow_that_its_job_was_queued_again_ends_it_all_the_same(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0, 1])

    def taken_away(batches: Sequence[Batch]) -> None:
        others = RqQueue(redis, "worker-2", lease_s=ABANDONED_AFTER_S)
        Maintenance(redis, others, abandoned_after_s=ABANDONED_AFTER_S).reclaim("worker-1", Stop())
        assert queue.depth(redis) == 1

    store.fault = taken_away
    work(redis, store)
    assert stored(store) == 2
    assert redis.keys("rq:job:*") == []
    assert redis.keys(f"{QUEUE}*") == []
    assert not redis.exists(keys.LOST_JOBS)


def test_a_job_that_a_worker_of_rq_runs_is_left_to_it_until_rq_counts_it_as_abandoned(
    redis: Redis, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ABANDONED_AFTER_S", 1)
    monkeypatch.setattr(worker_module, "MAINTENANCE_S", 0.2)
    send(redis, [0])
    stock = SimpleWorker([keys.QUEUE], name="stock", connection=redis, serializer=JSONSerializer)
    job, _ = stock.dequeue_job_and_maintain_ttl(timeout=None) or (None, None)
    assert job
    stock.prepare_execution(job)
    stock.prepare_job_execution(job, remove_from_intermediate_queue=True)
    with working(redis, store):
        assert never(lambda: stored(store), for_s=2.5)
        redis.zincrby(STARTED, -1e6, cast("list[bytes]", redis.zrange(STARTED, 0, -1))[0])
        until(lambda: stored(store) == 1)


def test_a_worker_pauses_while_workers_are_suspended(redis: Redis, store: FaultyStore) -> None:
    suspend(redis)
    with working(redis, store) as worker:
        until(lambda: worker.alive)
        until(lambda: is_paused(worker), what="the worker pauses")
        send(redis, [0])
        assert never(lambda: queue.depth(redis) != 1, for_s=1.5)
        assert worker.alive
        resume(redis)
        until(lambda: stored(store) == 1)


def test_rq_shows_the_worker_while_it_works(redis: Redis, store: FaultyStore) -> None:
    seen: list[tuple[str, bool]] = []

    def look(batches: object) -> None:
        connections = [client["name"] for client in redis.client_list()]
        seen.extend((one.get_state(), one.name in connections) for one in SimpleWorker.all(redis))

    store.fault = look
    send(redis, [0])
    work(redis, store)
    assert seen == [("busy", True)]
    assert SimpleWorker.all(redis) == []
