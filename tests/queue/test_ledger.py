"""The ledger, on a real Redis and a real SQLite: accepted = stored + waiting + failed, whatever happens."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from consumer.enqueuer import Enqueuer
from consumer.rejections import ForeignRun, QueueFull
from pipeline.message import Batch
from pipeline.queue import job as queue_job
from pipeline.queue import keys, ledger
from pipeline.queue.job_search import lost_numbers
from pipeline.queue.ledger_repair import MAX_COUNTED, evict_runs, reconcile
from pipeline.store import MessageRejected
from tests.support.batches import NOON_NS, arrival
from tests.support.waiting import until
from tests.support.workers import (
    FaultyStore,
    kill_after_writing,
    kill_while_dequeuing,
    kill_while_writing,
    send,
    stored,
    work,
    working,
)
from worker.outcome import WriteOutcome
from worker.rq_adapter import end_job
from worker.rq_failed import FailedJobs


@dataclass(frozen=True)
class Audit:
    accepted: int
    stored: int
    waiting: int
    failed: int

    @property
    def unaccounted(self) -> int:
        return self.accepted - self.stored - self.waiting - self.failed


def audit(redis: Redis, store: FaultyStore) -> Audit:
    read = ledger.read(redis, [])
    return Audit(read.registered, stored(store), read.waiting, read.failed)


def audit_run(redis: Redis, store: FaultyStore, run: str) -> Audit:
    entry = ledger.read(redis, [run]).runs[run]
    here = {figures.run: figures.stored for figures in store.runs(1_000)}
    return Audit(entry.accepted or 0, here.get(run, 0), entry.waiting, entry.failed)


def forget_arrivals(redis: Redis) -> None:
    """The dedupe window passes."""
    redis.delete(*redis.keys("fizzbuzz:arrival:*"))


def refuse(*numbers: int) -> Callable[[Sequence[Batch]], None]:
    def fault(batches: Sequence[Batch]) -> None:
        if any(a.message.number in numbers for batch in batches for a in batch.arrivals):
            raise MessageRejected("no")

    return fault


def enqueue_as_another_program(redis: Redis, *numbers: int) -> None:
    carried = queue_job.encode("c", NOON_NS, [arrival(n, "run-1", NOON_NS + n, 3) for n in numbers])
    Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).enqueue(queue_job.TASK, carried)


def fail_twice_as_another_program(redis: Redis, store: FaultyStore) -> None:
    enqueue_as_another_program(redis, 1, 2)
    store.fault = refuse(2)
    work(redis, store)
    registry = FailedJobs(redis)
    registry.requeue(registry.all())
    work(redis, store)


def job_ids(redis: Redis, key: str = keys.RQ_QUEUE) -> list[str]:
    return texts(redis.lrange(key, 0, -1))


def texts(some: Iterable[Any]) -> list[str]:
    return [raw.decode() for raw in some]


def test_what_is_accepted_waits_and_is_named_by_run(redis: Redis) -> None:
    send(redis, [0, 1, 7])
    send(redis, [3], run="run-2")
    read = ledger.read(redis, ["run-3"])
    assert (read.accepted, read.registered, read.waiting, read.failed) == (None, 4, 4, 0)
    assert (read.jobs, read.held_jobs, read.counted) == (2, 0, True)
    assert list(read.runs) == ["run-2", "run-1", "run-3"]
    one, unknown = read.runs["run-1"], read.runs["run-3"]
    assert (one.accepted, one.waiting, one.failed, one.highest, one.duplicates) == (3, 3, 0, 7, 0)
    assert one.first_arrived_ns == read.oldest_waiting_ns
    assert one.last_arrived_ns == (one.first_arrived_ns or 0) + 7
    assert (unknown.accepted, unknown.waiting, unknown.highest, unknown.last_arrived_ns) == (
        None,
        0,
        None,
        None,
    )


def test_repeats_within_the_window_count_nothing(redis: Redis) -> None:
    send(redis, [0, 1])
    before = redis.hgetall(keys.ledger_run("run-1")), redis.get(keys.WAITING)
    send(redis, [1, 0])
    assert (redis.hgetall(keys.ledger_run("run-1")), redis.get(keys.WAITING)) == before
    send(redis, [1, 2])
    run = ledger.read(redis, []).runs["run-1"]
    assert (run.accepted, run.waiting, run.duplicates) == (3, 3, 3)


@pytest.mark.parametrize("run", ["7", "1", "a:b", "x" * 64])
def test_a_run_may_have_any_name(redis: Redis, store: FaultyStore, run: str) -> None:
    send(redis, [0], run=run)
    assert audit_run(redis, store, run) == Audit(1, 0, 1, 0)
    work(redis, store)
    assert audit_run(redis, store, run) == Audit(1, 1, 0, 0)


def test_arrivals_and_numbers_beyond_what_a_float_holds_are_kept_exactly(redis: Redis) -> None:
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=9, dedupe_window_s=60)
    for number, arrived_ns in ((2**53 - 1, NOON_NS + 1), (2**53 - 2, NOON_NS + 2), (5, NOON_NS)):
        enqueuer.accept([arrival(number, "run-1", arrived_ns, 3)])
    run = ledger.read(redis, []).runs["run-1"]
    assert (run.highest, run.first_arrived_ns, run.last_arrived_ns) == (2**53 - 1, NOON_NS, NOON_NS + 2)


def test_a_refused_burst_and_another_senders_run_count_nothing(redis: Redis, store: FaultyStore) -> None:
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=2, dedupe_window_s=60)
    enqueuer.accept([arrival(n, "run-1", NOON_NS + n, 3) for n in (0, 1)], claims=[("run-1", "k:1")])
    with pytest.raises(QueueFull):
        enqueuer.accept([arrival(2, "run-2", NOON_NS + 2, 3)])
    work(redis, store)
    with pytest.raises(ForeignRun):
        enqueuer.accept([arrival(3, "run-1", NOON_NS + 3, 3)], claims=[("run-1", "k:2")])
    assert audit(redis, store) == Audit(2, 2, 0, 0)
    assert list(ledger.read(redis, []).runs) == ["run-1"]


def test_what_is_stored_no_longer_waits(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    send(redis, [0], run="run-2")
    work(redis, store)
    assert audit(redis, store) == Audit(3, 3, 0, 0)
    assert audit_run(redis, store, "run-1") == Audit(2, 2, 0, 0)
    assert redis.exists(keys.WAITING_RUNS, keys.FAILED_RUNS) == 0
    assert ledger.read(redis, []).oldest_waiting_ns is None


def test_what_a_worker_holds_waits(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    kill_while_writing(redis, store)
    send(redis, [2])
    kill_while_dequeuing(redis)
    read = ledger.read(redis, [])
    assert (read.waiting, read.held_jobs, read.jobs) == (3, 2, 2)
    assert audit_run(redis, store, "run-1") == Audit(3, 0, 3, 0)


def test_only_rejected_messages_fail(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7, 8])
    work(redis, store)
    assert audit(redis, store) == Audit(3, 2, 0, 1)
    assert audit_run(redis, store, "run-1") == Audit(3, 2, 0, 1)


def test_a_job_that_fails_as_a_whole_fails_with_all_its_messages(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    send(redis, [0], run="run-2")
    redis.hset(keys.rq_job(job_ids(redis)[0]), "data", "nonsense")
    work(redis, store)
    assert audit(redis, store) == Audit(3, 1, 0, 2)
    assert audit_run(redis, store, "run-1") == Audit(2, 0, 0, 2)


def test_what_is_requeued_waits_again_and_is_stored(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7, 8])
    work(redis, store)
    registry = FailedJobs(redis)
    registry.requeue(registry.all())
    assert audit(redis, store) == Audit(3, 2, 1, 0)
    store.fault = lambda batches: None
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(3, 3, 0, 0)


def test_what_is_dropped_was_never_accepted(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7, 8])
    work(redis, store)
    registry = FailedJobs(redis)
    registry.drop(registry.all())
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(2, 2, 0, 0)
    assert lost_numbers(redis, "run-1", [7]) == []


def test_a_job_that_fails_twice_counts_once(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7, 8])
    registry = FailedJobs(redis)
    for _ in range(3):
        work(redis, store)
        assert audit(redis, store) == Audit(3, 2, 0, 1)
        registry.requeue(registry.all())


def test_a_repeat_after_the_window_is_no_difference(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1, 2])
    work(redis, store)
    forget_arrivals(redis)
    send(redis, [1, 2, 3])
    assert audit(redis, store) == Audit(6, 3, 3, 0)
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(4, 4, 0, 0)


def test_a_repeat_after_the_window_is_subtracted_once_though_its_job_runs_twice(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0, 1])
    work(redis, store)
    forget_arrivals(redis)
    send(redis, [1, 2])
    kill_after_writing(redis, store)
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(3, 3, 0, 0)


def test_a_repeat_after_the_window_is_subtracted_once_though_its_job_fails_first(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0, 1])
    work(redis, store)
    forget_arrivals(redis)
    store.fault = refuse(7)
    send(redis, [1, 7, 8])
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(4, 3, 0, 1)
    registry = FailedJobs(redis)
    registry.requeue(registry.all())
    store.fault = lambda batches: None
    kill_after_writing(redis, store)
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(4, 4, 0, 0)


@pytest.mark.parametrize("kill", [kill_while_writing, kill_after_writing])
def test_a_worker_that_is_killed_makes_no_difference(
    redis: Redis, store: FaultyStore, kill: Callable[[Redis, FaultyStore], None]
) -> None:
    send(redis, [0, 1])
    kill(redis, store)
    assert ledger.read(redis, []).waiting == 2
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(2, 2, 0, 0)


def test_a_job_that_two_workers_end_counts_once(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    other = FaultyStore(store.path)

    def meanwhile(batches: Sequence[Batch]) -> None:
        store.fault = lambda batches: None
        other.fault = refuse(0, 1)
        work(redis, other)  # under the same name, so it requeues the job, and fails with it
        assert audit(redis, store) == Audit(2, 0, 0, 2)

    store.fault = meanwhile
    work(redis, store)
    other.close()
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(2, 2, 0, 0)


def test_a_job_deleted_by_hand_raises_the_alarm_with_run_and_number(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    send(redis, [2, 3])
    redis.delete(keys.rq_job(job_ids(redis)[0]))
    assert audit(redis, store).unaccounted == audit_run(redis, store, "run-1").unaccounted == 2
    assert lost_numbers(redis, "run-1", [0, 1, 2, 3, 4]) == [0, 1]
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(4, 2, 0, 0)
    assert lost_numbers(redis, "run-1", [0, 1, 4]) == [0, 1]


def test_a_row_deleted_by_hand_raises_the_alarm_with_run_and_number(redis: Redis, store: FaultyStore) -> None:
    send(redis, range(10))
    work(redis, store)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("DELETE FROM message WHERE number = 4")
    assert audit_run(redis, store, "run-1").unaccounted == 1
    assert store.holes("run-1", 10) == [(4, 4)]
    assert lost_numbers(redis, "run-1", [4]) == [4]


def test_a_failed_job_deleted_by_hand_raises_the_alarm_too(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(0)
    send(redis, [0])
    work(redis, store)
    FailedJobRegistry(keys.QUEUE, connection=redis).remove(job_ids_failed(redis)[0], delete_job=True)
    assert audit(redis, store).unaccounted == audit_run(redis, store, "run-1").unaccounted == 1


def job_ids_failed(redis: Redis) -> list[str]:
    return texts(redis.zrange(keys.RQ_FAILED, 0, -1))


def test_a_requeue_by_rq_itself_is_no_difference(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7])
    work(redis, store)
    registry = FailedJobRegistry(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    registry.requeue(registry.get_job_ids()[0])
    assert audit(redis, store) == Audit(2, 1, 1, 0)
    store.fault = lambda batches: None
    work(redis, store)
    reconcile(redis)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(2, 2, 0, 0)
    assert redis.hgetall(keys.LEDGER) == {b"accepted": b"2"}


def test_jobs_of_other_programs_count_as_accepted_when_they_are_stored(
    redis: Redis, store: FaultyStore
) -> None:
    send(redis, [0])
    enqueue_as_another_program(redis, 1, 2)
    assert audit(redis, store) == Audit(1, 0, 1, 0)
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(3, 3, 0, 0)


def test_a_job_of_another_program_that_fails_again_and_again_is_no_difference(
    redis: Redis, store: FaultyStore
) -> None:
    enqueue_as_another_program(redis, 1, 2)
    store.fault = refuse(2)
    registry = FailedJobs(redis)
    for _ in range(3):
        work(redis, store)
        assert audit(redis, store) == Audit(1, 1, 0, 0)
        registry.requeue(registry.all())
        assert audit(redis, store) == Audit(3, 1, 2, 0)
    store.fault = lambda batches: None
    work(redis, store)
    assert audit(redis, store) == Audit(2, 2, 0, 0)


def test_a_job_of_another_program_that_rq_requeues_after_it_failed_twice_is_no_difference(
    redis: Redis, store: FaultyStore
) -> None:
    fail_twice_as_another_program(redis, store)
    FailedJobRegistry(keys.QUEUE, connection=redis, serializer=JSONSerializer).requeue(
        job_ids_failed(redis)[0]
    )
    store.fault = lambda batches: None
    work(redis, store)
    assert audit(redis, store) == Audit(2, 2, 0, 0)


def test_a_job_that_rqs_own_worker_ends_twice_counts_once(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1])
    (job_id,) = job_ids(redis)
    outcome = WriteOutcome(stored=Counter({"run-1": 2}), repeats=Counter({"run-1": 1}))
    for _ in range(2):
        end_job(redis, job_id, outcome, failed=False)
        read = ledger.read(redis, [])
        assert (read.registered, read.failed) == (1, 0)


def test_a_dropped_job_of_another_program_is_no_difference(redis: Redis, store: FaultyStore) -> None:
    fail_twice_as_another_program(redis, store)
    registry = FailedJobs(redis)
    registry.drop(registry.all())
    assert audit(redis, store) == Audit(1, 1, 0, 0)


def test_a_job_of_another_program_whose_worker_is_killed_after_writing_counts_once(
    redis: Redis, store: FaultyStore
) -> None:
    enqueue_as_another_program(redis, 1, 2)
    kill_after_writing(redis, store)
    work(redis, store)
    assert audit(redis, store) == Audit(2, 2, 0, 0)


def test_jobs_of_the_version_before_the_ledger_are_in_the_baseline(redis: Redis, store: FaultyStore) -> None:
    send(redis, [0, 1], run="old")
    redis.hdel(keys.rq_job(job_ids(redis)[0]), "runs", "first_ns")
    redis.delete(keys.LEDGER, keys.LEDGER_RUNS, keys.WAITING_RUNS, keys.ledger_run("old"))
    read = ledger.read(redis, ["old"])
    assert (read.registered, read.waiting, read.runs["old"].accepted) == (0, 2, None)
    redis.hset(keys.LEDGER, "baseline", 2)
    send(redis, [2], run="old")
    work(redis, store)
    read = ledger.read(redis, [])
    assert (read.accepted, read.waiting, stored(store)) == (3, 0, 3)
    assert read.runs["old"].accepted == 1


def test_a_failed_job_of_the_version_before_counts_from_its_requeue_on(
    redis: Redis, store: FaultyStore
) -> None:
    store.fault = refuse(7)
    send(redis, [6, 7])
    work(redis, store)
    (job_id,) = job_ids_failed(redis)
    redis.hdel(keys.rq_job(job_id), "runs", "repeats")
    redis.hset(keys.rq_job(job_id), "messages", 2)
    redis.delete(keys.LEDGER, keys.LEDGER_RUNS, keys.FAILED_RUNS, keys.ledger_run("run-1"))
    assert (ledger.read(redis, []).failed, ledger.read(redis, []).registered) == (0, 0)
    redis.hset(keys.LEDGER, "baseline", stored(store))
    registry = FailedJobs(redis)
    registry.requeue(registry.all())
    store.fault = lambda batches: None
    work(redis, store)
    assert ledger.read(redis, []).accepted == stored(store) == 2


def test_the_baseline_counts_as_accepted(redis: Redis) -> None:
    send(redis, [0])
    assert ledger.read(redis, []).accepted is None
    redis.hset(keys.LEDGER, "baseline", 41)
    assert ledger.read(redis, []).accepted == 42


def test_many_jobs_are_read_from_the_counters(redis: Redis, store: FaultyStore) -> None:
    for number in range(ledger.FEW + 1):
        send(redis, [number])
    read = ledger.read(redis, [])
    assert (read.waiting, read.counted, read.jobs) == (101, False, 101)
    assert read.runs["run-1"].waiting == 101
    assert read.oldest_waiting_ns == read.runs["run-1"].first_arrived_ns
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(101, 101, 0, 0)


def test_many_failed_jobs_are_read_from_the_counters(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(*range(ledger.FEW + 1))
    for number in range(ledger.FEW + 1):
        send(redis, [number])
    work(redis, store)
    work(redis, store)
    assert audit(redis, store) == audit_run(redis, store, "run-1") == Audit(101, 0, 0, 101)


def test_wrong_counters_are_repaired_from_the_jobs(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(9)
    send(redis, [9])
    work(redis, store)
    send(redis, [0, 1])
    right = redis.hgetall(keys.WAITING_RUNS), redis.hgetall(keys.FAILED_RUNS)
    redis.set(keys.WAITING, 7)
    redis.hset(keys.WAITING_RUNS, mapping={"run-1": 7, "gone": 3})
    redis.hset(keys.LEDGER, "failed", 5)
    redis.delete(keys.FAILED_RUNS)
    reconcile(redis)
    assert (redis.hgetall(keys.WAITING_RUNS), redis.hgetall(keys.FAILED_RUNS)) == right
    assert (redis.get(keys.WAITING), redis.hget(keys.LEDGER, "failed")) == (b"2", b"1")


def test_counters_of_a_job_that_is_gone_are_repaired_by_a_worker(redis: Redis, store: FaultyStore) -> None:
    for number in range(MAX_COUNTED // 500):
        send(redis, [number])
    redis.delete(*redis.keys("rq:job:*"), keys.RQ_QUEUE)
    with working(redis, store):
        until(lambda: not redis.exists(keys.WAITING, keys.WAITING_RUNS))


def test_a_bounded_number_of_runs_is_kept_and_totals_stay(redis: Redis, store: FaultyStore) -> None:
    store.fault = refuse(66)
    send(redis, [66], run="failed")
    work(redis, store)
    for number in range(8):
        send(redis, [0], run=f"run-{number}")
    work(redis, store)
    send(redis, [1], run="waits")
    redis.zadd(keys.LEDGER_RUNS, {"waits": 2, "failed": 1})  # as if they were the oldest
    assert evict_runs(redis, most=5) == 5
    kept = set(texts(redis.zrange(keys.LEDGER_RUNS, 0, -1)))
    assert kept == {"failed", "waits", "run-5", "run-6", "run-7"}
    assert set(texts(redis.keys("fizzbuzz:ledger:*"))) == {keys.ledger_run(run) for run in kept}
    assert evict_runs(redis, most=5) == 0
    read = ledger.read(redis, ["run-0"])
    assert (read.registered, read.runs["run-0"].accepted) == (10, None)
    assert evict_runs(redis, most=0) == 3
    assert evict_runs(redis, most=0) == 0


@pytest.mark.parametrize("key", [keys.LEDGER, keys.WAITING_RUNS, keys.FAILED_RUNS, keys.ledger_run("run-1")])
def test_a_key_of_another_type_stops_no_worker(redis: Redis, store: FaultyStore, key: str) -> None:
    send(redis, [0, 1])
    send(redis, [7])
    store.fault = refuse(7)
    redis.delete(key)
    redis.set(key, "garbage")
    work(redis, store)
    assert stored(store) == 2
    assert len(job_ids_failed(redis)) == 1


@pytest.mark.parametrize("runs", ["", "7", "[1]", '{"run-1": "x"}', '{"run-1": -3, "b": 1e300}', "{" * 2_000])
def test_a_job_whose_share_is_garbage_is_stored(redis: Redis, store: FaultyStore, runs: str) -> None:
    send(redis, [0])
    redis.hset(keys.rq_job(job_ids(redis)[0]), mapping={"runs": runs, "first_ns": "x", "repeats": runs})
    ledger.read(redis, [])
    reconcile(redis)
    work(redis, store)
    assert stored(store) == 1
    assert ledger.read(redis, []).waiting == 0


def test_reading_writes_nothing(redis: Redis) -> None:
    send(redis, [0])
    before = redis.info("persistence")["rdb_changes_since_last_save"]
    ledger.read(redis, ["run-1", "run-2"])
    assert redis.info("persistence")["rdb_changes_since_last_save"] == before
