"""``./start.sh failed``: what is shown, queued again and deleted is what the failed registry holds."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from consumer.enqueuer import Enqueuer
from pipeline.queue import client as queue
from pipeline.queue import keys, ledger
from pipeline.settings import read
from pipeline.stop import Stop
from pipeline.store import MessageRejected, Store, open_store
from tests.support.batches import NOON_NS, arrival
from tests.support.influxdb import InfluxServer
from tests.support.redis_server import RedisServer
from tests.support.workers import FaultyStore, failed, send, stored
from worker.worker import Worker

REFUSE_7 = """
CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.number = 7 BEGIN SELECT RAISE(ABORT, 'seven'); END
"""
HOUR_NS = 3_600 * 10**9
ROW = ["run-2", 1, NOON_NS, None, NOON_NS]
MALFORMED = ["run-2", 2, NOON_NS, "noon", NOON_NS]


def execute(path: Path, statement: str) -> None:
    """As somebody who has the database open beside the worker."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


def run(server: RedisServer, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command as the launcher runs it, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "worker.failed", *words],
        env={**os.environ, "REDIS_URL": server.url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def listed(server: RedisServer) -> list[dict[str, Any]]:
    done = run(server, "list", "--json")
    assert done.returncode == 0, done.stderr
    jobs: list[dict[str, Any]] = json.loads(done.stdout)["failed"]
    return jobs


def work(redis: Redis, store: Store) -> None:
    Worker("worker-1", redis, store, Stop()).run(until_empty=True)


def enqueue(redis: Redis, rows: Sequence[Any]) -> Job:
    """A job as the consumer makes it, of rows that it would never write."""
    queue = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    return queue.enqueue(
        "consumer.job.store", {"consumer": "consumer-1", "queued_ns": NOON_NS, "messages": list(rows)}
    )


def fix(redis: Redis, job: Job, rows: Sequence[Any]) -> None:
    call: list[Any] = [
        "consumer.job.store",
        None,
        [{"consumer": "c", "queued_ns": NOON_NS, "messages": list(rows)}],
        {},
    ]
    redis.hset(job.key, "data", json.dumps(call))


def test_what_sqlite_refuses_is_listed_requeued_and_stored(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    send(redis, [0])
    work(redis, store)
    execute(store.path, REFUSE_7)
    send(redis, [6, 7, 8, 9])
    work(redis, store)
    (job,) = listed(shared_redis)
    assert (job["messages"], job["first"]) == (4, ["run-1:6", "run-1:7", "run-1:8"])
    assert "number 7: SQLite: seven" in job["reason"]
    text = run(shared_redis).stdout
    assert job["job"] in text
    assert "4 messages: run-1:6, run-1:7, run-1:8, …" in text
    assert "number 7: SQLite: seven" in text
    execute(store.path, "DROP TRIGGER refuse")
    assert run(shared_redis, "requeue", job["job"]).stdout == "queued again: 1 job with 4 messages\n"
    assert queue.waiting(redis) == 1  # the others of the job are stored
    work(redis, store)
    assert stored(store) == 5
    assert (queue.waiting(redis), failed(redis)) == (0, [])
    assert redis.keys("rq:job:*") == []


def test_what_influxdb_refuses_is_listed_requeued_and_stored(
    redis: Redis, shared_redis: RedisServer, influx_server: InfluxServer
) -> None:
    bucket = influx_server.new_bucket(retention_s=3_600)
    settings = read({"FIZZBUZZ_STORE": "influxdb"})
    settings = replace(
        settings,
        influx_url=bucket.url,
        influx_token=bucket.token,
        influx_org=bucket.org,
        influx_bucket=bucket.bucket,
    )
    store = open_store(settings)
    now_ns = time.time_ns()
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=1_000, dedupe_window_s=60)
    enqueuer.accept([structs.replace(arrival(0, "run-1", now_ns, 3), arrived_ns=now_ns - 30 * 24 * HOUR_NS)])
    send(redis, [1])
    work(redis, store)
    (job,) = listed(shared_redis)
    assert job["first"] == ["run-1:0"]
    assert "InfluxDB: " in job["reason"]
    assert queue.waiting(redis) == 0
    influx_server.keep_for(bucket, 0)
    assert run(shared_redis, "requeue", "--all").stdout == "queued again: 1 job with 1 message\n"
    work(redis, store)
    assert store.totals().stored == 2
    assert (queue.waiting(redis), failed(redis)) == (0, [])
    store.close()


def test_a_malformed_message_is_listed_beside_its_job_and_dropped(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    enqueue(redis, [ROW, MALFORMED])
    work(redis, store)
    (job,) = listed(shared_redis)
    assert (job["messages"], job["first"]) == (2, ["run-2:1"])
    assert "message 1: " in job["reason"]
    done = run(shared_redis, "drop", job["job"])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "--yes" in done.stderr
    assert len(failed(redis)) == 1
    assert run(shared_redis, "drop", "--yes", job["job"]).stdout == "deleted: 1 job with 2 messages\n"
    assert failed(redis) == []
    assert redis.keys("rq:job:*") + redis.keys("rq:results:*") + redis.keys("rq:executions:*") == []
    assert stored(store) == 1
    assert queue.waiting(redis) == 0


def test_a_job_whose_hash_has_no_count_waits_again_with_the_number_that_it_carries(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    job = enqueue(redis, [ROW, MALFORMED])
    work(redis, store)
    assert run(shared_redis, "requeue", "--all").returncode == 0
    assert queue.waiting(redis) == 2
    fix(redis, job, [ROW, [*ROW[:1], 2, *ROW[2:]]])
    work(redis, store)
    assert (stored(store), queue.waiting(redis)) == (2, 0)


def test_a_requeue_survives_one_job_without_content_and_says_which(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    enqueue(redis, [MALFORMED])
    work(redis, store)
    redis.zadd(keys.RQ_FAILED, {"gone": -1})
    redis.zadd(keys.RQ_FAILED, {"text": -1})
    redis.set(keys.rq_job("text"), "no hash")
    assert len(listed(shared_redis)) == 3
    done = run(shared_redis, "requeue", "--all")
    assert done.returncode == 1
    assert done.stdout == "queued again: 1 job with 1 message\n"
    assert done.stderr.endswith("content to store: gone, text\n")
    assert redis.zcard(keys.RQ_FAILED) == 2
    assert run(shared_redis, "drop", "--all", "--yes").returncode == 0
    assert redis.exists(keys.RQ_FAILED, keys.rq_job("text")) == 0


def test_jobs_are_listed_oldest_first_and_more_than_a_chunk_of_them_are_requeued(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    ids = [enqueue(redis, [MALFORMED]).id for _ in range(3)]
    for _ in ids:
        work(redis, store)
    for position, job_id in enumerate(ids):
        redis.hset(keys.rq_job(job_id), "ended_at", f"2026-01-0{3 - position}T00:00:00.000000Z")
    assert [job["job"] for job in listed(shared_redis)] == ids[::-1]
    with redis.pipeline() as pipeline:
        for number in range(1_200):
            pipeline.hset(keys.rq_job(f"job-{number}"), "messages", 2)
            pipeline.zadd(keys.RQ_FAILED, {f"job-{number}": -1})
        pipeline.execute()
    done = run(shared_redis, "requeue", "--all")
    assert done.stdout == "queued again: 1203 jobs with 2403 messages\n"
    assert (queue.depth(redis), queue.waiting(redis)) == (1_203, 2_403)


def test_a_redis_without_memory_lets_jobs_be_queued_again_and_deleted(
    own_redis: RedisServer, store: FaultyStore
) -> None:
    redis = own_redis.client()
    requeued, dropped = enqueue(redis, [MALFORMED]), enqueue(redis, [MALFORMED])
    work(redis, store)
    redis.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        redis.set("one", "more")
    assert run(own_redis, "requeue", requeued.id).returncode == 0
    assert run(own_redis, "drop", "--yes", dropped.id).returncode == 0
    assert (queue.depth(redis), queue.waiting(redis), failed(redis)) == (1, 1, [])
    assert not redis.exists(dropped.key)


def test_a_dropped_message_that_is_sent_again_is_known_and_not_stored(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    def refuse(batches: object) -> None:
        raise MessageRejected("no")

    store.fault = refuse
    send(redis, [7])
    work(redis, store)
    assert run(shared_redis, "drop", "--all", "--yes").returncode == 0
    store.fault = lambda batches: None
    send(redis, [7])
    work(redis, store)
    duplicates = ledger.read(redis, ["run-1"]).runs["run-1"].duplicates
    assert (stored(store), duplicates, queue.waiting(redis)) == (0, 1, 0)


def test_rq_sees_a_job_that_was_queued_again_as_queued(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    job = enqueue(redis, [MALFORMED])
    work(redis, store)
    assert run(shared_redis, "requeue", job.id).returncode == 0
    again = Job.fetch(job.id, redis, JSONSerializer)
    assert (again.get_status(), again.ended_at, again.started_at) == (JobStatus.QUEUED, None, None)
    assert Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).job_ids == [job.id]


@pytest.mark.parametrize("action", [("list",), ("requeue",), ("drop", "--yes")], ids=" ".join)
def test_an_unknown_id_is_one_line_and_nothing_is_done(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore, action: tuple[str, ...]
) -> None:
    job = enqueue(redis, [MALFORMED])
    work(redis, store)
    done = run(shared_redis, *action, job.id, "un\x1bknown")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "un\\x1bknown" in done.stderr
    assert [one.id for one in failed(redis)] == [job.id]


@pytest.mark.parametrize("words", [(), ("list",), ("requeue", "--all"), ("drop", "--all")], ids=" ".join)
def test_where_nothing_failed_it_says_so(
    redis: Redis, shared_redis: RedisServer, words: tuple[str, ...]
) -> None:
    done = run(shared_redis, *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no failed messages\n", "")


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("requeue",), ("drop",), ("drop", "a", "--all"), ("--nonsense",), ("list", "--yes")],
    ids=" ".join,
)
def test_wrong_arguments_end_with_status_2(
    redis: Redis, shared_redis: RedisServer, words: tuple[str, ...]
) -> None:
    done = run(shared_redis, *words)
    assert (done.returncode, done.stdout) == (2, "")


def test_control_characters_are_written_out(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    def fail(batches: object) -> None:
        raise ValueError("\x1b[2J\u202egone\nforged line")

    store.fault = fail
    send(redis, [0])
    work(redis, store)
    lines = run(shared_redis).stdout.splitlines()
    assert len(lines) == 3
    assert "\\x1b[2J\\u202egone\\nforged line" in lines[1]
    assert all(line.isprintable() for line in lines)


def test_a_redis_that_is_unavailable_is_one_line(tmp_path: Path) -> None:
    done = run(RedisServer(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Redis can't be used" in done.stderr


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("", 1), ("n", 1), ("\x04", 1)], ids=repr)
def test_on_a_terminal_a_drop_asks(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore, answer: str, left: int
) -> None:
    enqueue(redis, [MALFORMED])
    work(redis, store)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "worker.failed", "drop", "--all"],
        env={**os.environ, "REDIS_URL": shared_redis.url},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        os.write(ours, f"{answer}\n".encode() if answer != "\x04" else b"\x04")
        output, _ = asking.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert "delete for good: 1 job with 1 message? [y/N]" in output
    assert redis.zcard(keys.RQ_FAILED) == left
    assert asking.returncode == left
