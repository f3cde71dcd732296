"""What ``worker/rq_adapter.py`` relies on in RQ, compared with RQ itself: a changed release fails here.

The product's worker writes RQ's keys by scripts of its own. So each state of a job is brought about twice, by
RQ's worker and by ours, and what is in Redis is compared; and what ours writes is read by RQ's own objects.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Worker, get_current_job, suspension, worker_registration
from rq.executions import Execution, ExecutionRegistry
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from pipeline.message import Batch
from pipeline.queue import job as queue_job
from pipeline.queue import keys
from pipeline.store import MessageRejected
from tests.support.batches import NOON_NS, arrival
from tests.support.redis_server import RedisServer
from tests.support.workers import FaultyStore, failed, send, stored, work, working

ROOT = Path(__file__).resolve().parents[2]

OUR_FIELDS = {"lease_s", "messages", "runs", "first_ns", "stored", "repeats"}
"""Fields of the product in RQ's hash of a job; RQ ignores fields that it does not know."""

RETRY_FIELDS = {"retries_left", "retry_intervals", "enqueue_at_front_on_retry"}
"""RQ writes them for jobs that are enqueued with a ``Retry``, as the consumer's are."""

OPTIONAL_FIELDS = {"execution_id", "execution_started_at", "execution_ended_at"}
"""Fields of a result that RQ can do without."""

IGNORED_FIELDS = OUR_FIELDS | RETRY_FIELDS | OPTIONAL_FIELDS

HOUSEKEEPING = {"rq:clean_groups"}
"""A key of RQ's worker about itself, with an expiry."""

Snapshot = dict[str, tuple[str, frozenset[str], bool]]
"""By key, in which ids and names are replaced: type, fields of a hash or a stream, whether it expires."""

snapshots: list[Snapshot] = []


def snapshot(redis: Any) -> Snapshot:
    """What is in Redis under RQ's keys."""
    found: Snapshot = {}
    job_ids = {key.decode().removeprefix(keys.RQ_JOB) for key in redis.keys(f"{keys.RQ_JOB}*")}
    executions = {key.decode().rpartition(":")[2] for key in redis.keys(f"{keys.RQ_EXECUTION}*")}
    for raw in redis.keys("rq:*"):
        key = raw.decode()
        for word in (*job_ids, *executions, "rq-worker", "worker-1"):
            key = key.replace(word, "?")
        kind = redis.type(raw).decode()
        known = frozenset(fields(redis, raw, kind)) - IGNORED_FIELDS
        found[key] = (kind, known, redis.ttl(raw) > 0)
    return {key: value for key, value in found.items() if key not in HOUSEKEEPING}


def fields(redis: Any, key: bytes, kind: str) -> Iterator[str]:
    if kind == "hash":
        yield from (field.decode() for field in redis.hkeys(key))
    elif kind == "stream":
        yield from (field.decode() for _, entry in redis.xrange(key) for field in entry)


def take_snapshot(data: Any) -> None:
    """A task for RQ's own worker."""
    job = get_current_job()
    assert job
    snapshots.append(snapshot(job.connection))


def fail(data: Any) -> None:
    """A task for RQ's own worker."""
    raise ValueError("no")


def rq_queue(redis: Redis) -> Queue:
    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)


def run_by_rq(redis: Redis, task: Callable[[Any], None]) -> None:
    rq_queue(redis).enqueue(task, {}, result_ttl=0, failure_ttl=-1, job_timeout=-1)
    worker = SimpleWorker([keys.QUEUE], name="rq-worker", connection=redis, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")


def without_ended_worker(snapshot: Snapshot) -> Snapshot:
    """RQ keeps the hash of a worker for a minute after its end."""
    return {key: value for key, value in snapshot.items() if key != keys.rq_worker("?")}


@pytest.fixture(autouse=True)
def no_snapshots() -> None:
    snapshots.clear()


def test_rq_names_its_keys_as_the_list_of_keys_does(redis: Redis) -> None:
    queue = rq_queue(redis)
    execution = Execution("execution", "job", redis, worker_name="worker")
    names = {
        keys.RQ_QUEUE: queue.key,
        keys.RQ_INTERMEDIATE: IntermediateQueue(queue.key, redis).key,
        keys.RQ_STARTED: StartedJobRegistry(queue=queue).key,
        keys.RQ_FAILED: FailedJobRegistry(queue=queue).key,
        keys.RQ_SCHEDULED: ScheduledJobRegistry(queue=queue).key,
        keys.RQ_WORKERS: worker_registration.REDIS_WORKER_KEYS,
        keys.RQ_QUEUE_WORKERS: worker_registration.WORKERS_BY_QUEUE_KEY % keys.QUEUE,
        keys.RQ_SUSPENDED: suspension.WORKERS_SUSPENDED,
        keys.rq_job("job"): Job.key_for("job"),
        keys.RQ_RESULTS + "job": Result.get_key("job"),
        keys.RQ_EXECUTIONS + "job": ExecutionRegistry("job", redis).key,
        keys.RQ_EXECUTION + "job:execution": execution.key,
        keys.rq_worker("worker"): Worker.redis_worker_namespace_prefix + "worker",
        keys.rq_worker_executions("worker"): execution.worker_executions_key,
    }
    assert list(names.keys()) == list(names.values())


def test_a_started_job_looks_in_redis_as_when_rq_starts_it(redis: Redis, store: FaultyStore) -> None:
    run_by_rq(redis, take_snapshot)
    redis.flushall()
    store.fault = lambda batches: snapshots.append(snapshot(redis))
    send(redis, [0])
    work(redis, store)
    by_rq, by_us = snapshots
    assert keys.RQ_EXECUTION + "?:?" in by_rq
    assert by_us == by_rq


def test_a_failed_job_looks_in_redis_as_when_it_fails_in_rq(redis: Redis, store: FaultyStore) -> None:
    run_by_rq(redis, fail)
    by_rq = snapshot(redis)
    redis.flushall()
    reject(store)
    send(redis, [0])
    work(redis, store)
    by_us = snapshot(redis)
    assert {keys.RQ_FAILED, keys.RQ_RESULTS + "?"} <= by_rq.keys()
    assert by_us == without_ended_worker(by_rq)


def test_a_finished_job_leaves_as_little_as_in_rq(redis: Redis, store: FaultyStore) -> None:
    run_by_rq(redis, take_snapshot)
    by_rq = snapshot(redis)
    redis.flushall()
    send(redis, [0])
    work(redis, store)
    assert snapshot(redis) == without_ended_worker(by_rq)


def reject(store: FaultyStore) -> None:
    def refuse(batches: Sequence[Batch]) -> None:
        raise MessageRejected("beyond the retention")

    store.fault = refuse


def test_a_job_that_rq_enqueues_is_stored(redis: Redis, store: FaultyStore) -> None:
    carried = queue_job.encode(
        "consumer-1", NOON_NS, [arrival(number, "run-1", NOON_NS + number, 3) for number in (0, 1)]
    )
    rq_queue(redis).enqueue(queue_job.TASK, carried)
    work(redis, store)
    assert stored(store) == 2
    assert failed(redis) == []


def enqueue_before_an_upgrade(redis: Redis) -> None:
    """A job as an earlier version left it in the queue, spelt out."""
    row = ["run-1", 0, NOON_NS - 2_000, NOON_NS - 1_000, NOON_NS]
    rq_queue(redis).enqueue(
        "consumer.job.store", {"consumer": "consumer-1", "queued_ns": NOON_NS, "messages": [row]}
    )


def test_a_job_that_waited_across_an_upgrade_is_stored(redis: Redis, store: FaultyStore) -> None:
    enqueue_before_an_upgrade(redis)
    work(redis, store)
    assert stored(store) == 1
    assert failed(redis) == []


def test_a_job_that_waited_across_an_upgrade_is_stored_by_the_command_rq_worker(
    own_redis: RedisServer, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(store.path))
    redis = own_redis.client()
    enqueue_before_an_upgrade(redis)
    options = ["--burst", "--url", own_redis.url, "--serializer", "rq.serializers.JSONSerializer"]
    command = [sys.executable, "-m", "rq.cli", "worker", *options, keys.QUEUE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert stored(store) == 1, done.stderr
    assert failed(redis) == []


def test_rq_reads_a_started_job_its_execution_and_its_worker(redis: Redis, store: FaultyStore) -> None:
    seen: list[Any] = []

    def read_by_rq(batches: Sequence[Batch]) -> None:
        queue = rq_queue(redis)
        registry = StartedJobRegistry(queue=queue)
        (job_id,) = registry.get_job_ids(cleanup=False)
        job = Job.fetch(job_id, redis, JSONSerializer)
        (execution,) = job.get_executions()
        (worker,) = Worker.all(redis)
        seen.append((job.get_status(), job.worker_name, job.started_at is not None, execution.worker_name))
        seen.append(
            (worker.name, worker.get_state(), [q.name for q in worker.queues], worker.pid is not None)
        )
        seen.append([w.name for w in Worker.all(queue=queue)])

    store.fault = read_by_rq
    send(redis, [0])
    work(redis, store)
    assert seen == [
        (JobStatus.STARTED, "worker-1", True, "worker-1"),
        ("worker-1", "busy", [keys.QUEUE], True),
        ["worker-1"],
    ]


def test_rq_reads_a_failed_job_and_queues_it_again(redis: Redis, store: FaultyStore) -> None:
    reject(store)
    send(redis, [0])
    work(redis, store)
    registry = FailedJobRegistry(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    (job_id,) = registry.get_job_ids()
    job = Job.fetch(job_id, redis, JSONSerializer)
    assert (job.get_status(), job.func_name, job.is_failed) == (JobStatus.FAILED, queue_job.TASK, True)
    assert job.ended_at is not None
    result = job.latest_result()
    assert result
    assert (result.type, result.worker_name) == (Result.Type.FAILED, "worker-1")
    assert "beyond the retention" in str(result.exc_string)
    store.fault = lambda batches: None
    registry.requeue(job_id)
    work(redis, store)
    assert stored(store) == 1
    assert registry.get_job_ids() == []


def test_rq_info_shows_the_queue_and_the_worker(own_redis: RedisServer, store: FaultyStore) -> None:
    redis = own_redis.client()
    send(redis, [0])
    with working(redis, store):
        until = time.monotonic() + 20
        while not stored(store) and time.monotonic() < until:
            time.sleep(0.02)
        command = [sys.executable, "-m", "rq.cli", "info", "--url", own_redis.url, "--raw"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert f"queue {keys.QUEUE} 0, 0 executing, 0 finished, 0 failed" in shown
    assert [line for line in shown if line.startswith("worker worker-1 ") and f"idle {keys.QUEUE}." in line]
