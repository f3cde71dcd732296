"""``./start.sh runs``: what is listed and deleted, in the database, the ledger and the registry."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from redis import Redis

from consumer.enqueuer import Enqueuer, Receipt
from pipeline.message import Arrival
from pipeline.queue import keys, ledger
from pipeline.store import MessageRejected
from pipeline.store.sqlite import SqliteStore
from tests.support import guarded_redis
from tests.support.batches import NOON_NS, arrival
from tests.support.redis_server import RedisServer, running
from tests.support.workers import FaultyStore, send, stored, work
from worker import runs


def environment(server: RedisServer, store: FaultyStore) -> dict[str, str]:
    settings = {"FIZZBUZZ_STORE": "sqlite", "FIZZBUZZ_SQLITE_PATH": str(store.path), "REDIS_URL": server.url}
    return {**os.environ, **settings}


def run(server: RedisServer, store: FaultyStore, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "worker.runs", *words],
        env=environment(server, store),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def send_long_ago(redis: Redis, numbers: range, name: str) -> Sequence[Receipt]:
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=1_000_000, dedupe_window_s=60)
    messages: list[Arrival] = [arrival(n, name, NOON_NS + n, 3) for n in numbers]
    return enqueuer.accept(messages)


@pytest.mark.parametrize("module", ["worker.runs", "worker.failed"])
@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_list_that_nobody_reads_is_no_fault_of_redis(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore, module: str, unbuffered: str
) -> None:
    settings = {"FIZZBUZZ_STORE": "sqlite", "FIZZBUZZ_SQLITE_PATH": str(store.path)}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", module],
            env={**os.environ, **settings, "REDIS_URL": shared_redis.url, "PYTHONUNBUFFERED": unbuffered},
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_runs_are_listed_by_readable_names(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    assert run(shared_redis, store).stdout == "no runs\n"
    send_long_ago(redis, range(3), "load-20260101T120000.000Z-abcdef")
    work(redis, store)
    send_long_ago(redis, range(1), "mine")
    work(redis, store)
    done = run(shared_redis, store, "list")
    assert done.stdout.splitlines() == [
        "load · 2026-01-01 12:00:00  3 messages, highest number 2  load-20260101T120000.000Z-abcdef",
        "sender · 2026-01-01 12:00:00  1 message, highest number 0  mine",
    ]
    (first,) = json.loads(run(shared_redis, store, "list", "--json", "--limit", "1").stdout)["runs"]
    assert (first["id"], first["stored"]) == ("mine", 1)  # it has the last stored message
    assert run(shared_redis, store, "list", "--limit", "10000").stdout == done.stdout
    for limit in ("0", "10001"):
        refused = run(shared_redis, store, "list", "--limit", limit)
        assert (refused.returncode, "--limit" in refused.stderr) == (2, True)


@pytest.fixture(params=guarded_redis.programs(), ids=lambda program: program.version)
def each_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Each redis-server of this machine: they do not read numbers of scripts alike."""
    with running(request.param.path) as server:
        yield server


def test_a_deleted_run_is_gone_everywhere_and_the_others_stay(
    each_redis: RedisServer, store: FaultyStore
) -> None:
    redis = each_redis.client()
    send_long_ago(redis, range(250), "gone")
    send(redis, [0, 1])
    work(redis, store)
    done = run(each_redis, store, "delete", "gone", "--yes")
    assert (done.stdout, done.stderr) == ("deleted: gone with 250 messages\n", "")
    read = ledger.read(redis, [])
    assert (read.registered, list(read.runs), stored(store)) == (2, ["run-1"], 2)
    assert [key for key in redis.keys("*") if b"gone" in key] == []
    assert len(redis.keys("fizzbuzz:arrival:run-1:*")) == 1
    send_long_ago(redis, range(1), "gone")
    work(redis, store)
    assert (ledger.read(redis, []).registered, stored(store)) == (3, 3)


def test_a_run_whose_name_begins_like_a_deleted_ones_is_still_recognized(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    for name in ("plant", "plant:1", "plant:1:2"):
        send_long_ago(redis, range(2), name)
    work(redis, store)
    assert run(shared_redis, store, "delete", "plant", "--yes").returncode == 0
    assert sorted(redis.keys("fizzbuzz:arrival:*")) == [
        b"fizzbuzz:arrival:plant:1:0",
        b"fizzbuzz:arrival:plant:1:2:0",
    ]
    assert [receipt.duplicate for receipt in send_long_ago(redis, range(2), "plant:1")] == [True, True]


def test_what_was_lost_of_a_deleted_run_is_forgotten_too(each_redis: RedisServer, store: FaultyStore) -> None:
    redis = each_redis.client()
    send_long_ago(redis, range(3), "gone")
    work(redis, store)
    send_long_ago(redis, range(3, 5), "gone")
    redis.delete(*redis.keys("rq:job:*"), keys.RQ_QUEUE)
    assert ledger.read(redis, []).registered - stored(store) == 2
    assert run(each_redis, store, "delete", "gone", "--yes").returncode == 0
    assert (ledger.read(redis, []).registered, stored(store)) == (0, 0)


def test_a_run_from_before_the_ledger_is_taken_from_the_baseline(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    send_long_ago(redis, range(5), "gone")
    send_long_ago(redis, range(2), "kept")
    work(redis, store)
    redis.flushall()
    redis.hset(keys.LEDGER, "baseline", 7)
    assert run(shared_redis, store, "delete", "gone", "--yes").returncode == 0
    assert ledger.read(redis, []).accepted == stored(store) == 2


def test_a_run_whose_messages_wait_have_failed_or_still_come_is_refused(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    def refuse(batches: object) -> None:
        raise MessageRejected("no")

    send_long_ago(redis, range(2), "waits")
    assert "2 messages of the run wait" in run(shared_redis, store, "delete", "waits", "--yes").stderr
    store.fault = refuse
    work(redis, store)
    assert "have failed" in run(shared_redis, store, "delete", "waits", "--yes").stderr
    store.fault = lambda batches: None
    send(redis, [0], run="comes")
    work(redis, store)
    began_s = time.monotonic()
    done = run(shared_redis, store, "delete", "comes", "--yes")
    if time.monotonic() - began_s < 5:
        assert "still being sent" in done.stderr
        assert (done.returncode, stored(store)) == (1, 1)


def test_nothing_is_deleted_without_confirmation(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    send_long_ago(redis, range(2), "mine")
    work(redis, store)
    done = run(shared_redis, store, "delete", "mine")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "--yes" in done.stderr
    assert stored(store) == 2


def answered(server: RedisServer, store: FaultyStore, before: Callable[[], None]) -> tuple[int, str]:
    """Status and errors of a deletion of the run ``mine`` that is confirmed after ``before``."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "worker.runs", "delete", "mine"],
        env=environment(server, store),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        output = asking.stdout
        assert output
        assert "[y/N" in "".join(iter(lambda: output.read(1), "]"))
        before()
        os.write(ours, b"y\n")
        _, errors = asking.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return asking.returncode, errors


def test_what_is_accepted_while_the_question_waits_is_not_deleted(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore
) -> None:
    def resume(numbers: range) -> None:
        send_long_ago(redis, numbers, "mine")  # as if more than 10 s had passed since
        work(redis, store)

    resume(range(2))
    status, errors = answered(shared_redis, store, lambda: resume(range(2, 5)))
    assert (status, stored(store)) == (1, 5)
    assert "accepted since the question; nothing was deleted" in errors
    status, errors = answered(shared_redis, store, lambda: send(redis, [5], run="mine"))
    assert (status, stored(store)) == (1, 5)
    assert "1 message of the run wait" in errors
    work(redis, store)
    redis.hset(keys.ledger_run("mine"), "last_ns", NOON_NS)
    assert answered(shared_redis, store, lambda: None) == (0, "")
    assert (stored(store), ledger.read(redis, []).registered) == (0, 0)


def test_a_run_that_is_sent_on_while_it_is_deleted_stays_known(
    redis: Redis,
    shared_redis: RedisServer,
    store: FaultyStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Resumed(SqliteStore):
        """During its deletion the run's sender resumes, and what it sends is stored."""

        def delete_run(self, run: str) -> Iterator[int]:
            yield from super().delete_run(run)
            send_long_ago(redis, range(2, 4), run)
            work(redis, store)

    send_long_ago(redis, range(2), "mine")
    work(redis, store)
    monkeypatch.setattr("pipeline.store.open_store", lambda settings: Resumed(store.path))
    monkeypatch.setenv("FIZZBUZZ_SQLITE_PATH", str(store.path))
    monkeypatch.setenv("REDIS_URL", shared_redis.url)
    assert runs.main(["delete", "mine", "--yes"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 messages deleted; meanwhile more of the run were accepted" in said.err
    assert "delete the run again" in said.err
    assert (stored(store), ledger.read(redis, []).registered) == (2, 2)
    assert all(receipt.duplicate for receipt in send_long_ago(redis, range(4), "mine"))
    monkeypatch.undo()
    assert run(shared_redis, store, "delete", "mine", "--yes").returncode == 0
    assert (stored(store), ledger.read(redis, []).registered) == (0, 0)


@pytest.mark.parametrize("name", ["none", "un\x1bknown"])
def test_an_unknown_run_is_one_line(
    redis: Redis, shared_redis: RedisServer, store: FaultyStore, name: str
) -> None:
    done = run(shared_redis, store, "delete", name, "--yes")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "words", [("delete",), ("list", "a"), ("list", "--yes"), ("delete", "a", "--json"), ("--limit", "0")]
)
def test_wrong_arguments_end_with_status_2(
    shared_redis: RedisServer, store: FaultyStore, words: tuple[str, ...]
) -> None:
    assert run(shared_redis, store, *words).returncode == 2


def test_a_redis_that_is_unavailable_is_one_line(
    store: FaultyStore, redis: Redis, own_redis: RedisServer
) -> None:
    send_long_ago(redis, range(1), "mine")
    work(redis, store)
    own_redis.kill()
    done = run(own_redis, store, "delete", "mine", "--yes")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Redis can't be used" in done.stderr
    assert stored(store) == 1
