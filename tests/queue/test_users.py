"""Each service has a user in Redis that may do what the service does, and no more."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from consumer.enqueuer import Enqueuer
from launcher.local import redis_queue
from pipeline.message import ClockOffset
from pipeline.queue import client as queue
from pipeline.queue import keys, server_info, users
from pipeline.queue.state_reporter import StateReporter
from tests.support import guarded_redis
from tests.support.batches import NOON_NS, arrival
from tests.support.guarded_redis import GuardedRedis
from tests.support.workers import FaultyStore, failed, kill_while_writing, send, stored, work
from web.event_log import Event
from web.queue_reader import QueueReader, QueueRequest
from worker.rq_failed import FailedJobs

PROGRAMS = guarded_redis.programs()
OTHER = "somebody:else"
SERVICES = ("consumer", "worker", "web", "launcher", "queue-ui")


@pytest.fixture(params=PROGRAMS, ids=lambda program: f"redis-{program.version}")
def server(request: pytest.FixtureRequest) -> Iterator[GuardedRedis]:
    with guarded_redis.running(request.param) as server:
        yield server


def is_denied(redis: Redis, *words: Any) -> bool:
    """Whether the user may not run this command; whatever else becomes of it does not matter."""
    try:
        redis.execute_command(*words)  # type: ignore[no-untyped-call]
    except NoPermissionError:
        return True
    except ResponseError as error:  # of a script, whose own command was denied
        return "ACL failure in script" in str(error) or "The user executing the script can't" in str(error)
    return False


def test_a_message_comes_from_the_consumer_to_the_store_by_these_users(
    server: GuardedRedis, tmp_path: Path
) -> None:
    consumer, worker, web = (server.client(name) for name in ("consumer", "worker", "web"))
    enqueuer = Enqueuer(consumer, "consumer-1", queue_limit=1_000, dedupe_window_s=60)
    messages = [arrival(number, "run-1", NOON_NS + number, 3) for number in range(3)]
    for _ in range(2):  # the second time all are repeats
        enqueuer.accept(messages, [ClockOffset("run-1", 5, 7)], claims=[("run-1", "k:1")])
    StateReporter(consumer, "consumer-1").report(("ok", "", None))
    assert server_info.read(consumer).policy == "noeviction"
    assert consumer.config_get("append*")["appendfsync"] == "always"
    assert redis_queue.waiting(server.url("launcher")) == 1
    reader = QueueReader(web, "web-1")
    event = Event(NOON_NS, "service", "The consumer was restarted.", id="start:consumer-1:1")
    reader.read(QueueRequest(["run-1"], [event], baseline=0))
    sample = reader.read(QueueRequest(["run-1"]))
    run = sample.ledger.runs["run-1"]
    assert (sample.ledger.queued_jobs, sample.ledger.accepted, run.waiting) == (1, 3, 3)
    assert (run.duplicates, sample.clock_offsets["run-1"].offset_ns) == (3, 5)
    assert sample.events
    assert [one.name for one in sample.services] == ["consumer-1"]
    work(worker, store := FaultyStore(tmp_path / "messages.db"))
    assert stored(store) == 3
    assert server.denied() == []


def test_abandoned_lost_and_damaged_jobs_are_dealt_with_by_the_workers_user(
    server: GuardedRedis, tmp_path: Path
) -> None:
    worker, store = server.client("worker"), FaultyStore(tmp_path / "messages.db")
    send(server.client("consumer"), [0])
    kill_while_writing(worker, store)
    worker.hset(keys.rq_job("bad"), "data", "x")
    worker.rpush(keys.RQ_QUEUE, "bad", "gone")
    work(worker, store)
    assert stored(store) == 1
    assert [job.id for job in failed(worker)] == ["bad"]
    registry = FailedJobs(worker)
    assert registry.requeue(registry.all()) == ["bad"]
    work(worker, store)
    assert registry.drop(registry.all()) == ["bad"]
    assert server.denied() == []


def test_the_web_service_writes_its_events_and_its_baseline_and_reads_the_rest(server: GuardedRedis) -> None:
    web = server.client("web")
    assert web.rpush("fizzbuzz:events", "a line") == 1
    assert web.ltrim("fizzbuzz:events", -10, -1)
    assert web.hsetnx("fizzbuzz:ledger", "baseline", 7) == 1
    server.client("consumer").rpush(keys.RQ_QUEUE, "job")
    assert web.eval("return redis.call('LLEN', KEYS[1])", 1, keys.RQ_QUEUE) == 1
    assert server.denied() == []


def test_the_web_service_can_not_write_the_queue(server: GuardedRedis) -> None:
    if server.version < users.SELECTORS:
        pytest.skip("Redis 6.2 can't distinguish reading from writing (docs/security.md)")
    web = server.client("web")
    server.client("worker").rpush(keys.RQ_QUEUE, "job")
    assert is_denied(web, "DEL", keys.RQ_QUEUE)
    assert is_denied(web, "RPUSH", keys.RQ_QUEUE, "forged")
    assert is_denied(web, "SET", keys.WAITING, 0)
    assert is_denied(web, "EVAL", f"return redis.call('DEL', '{keys.RQ_QUEUE}')", 0)
    assert is_denied(web, "EVAL", "return redis.call('DEL', KEYS[1])", 1, keys.RQ_QUEUE)
    assert web.llen(keys.RQ_QUEUE) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_no_user_can_command_the_server(server: GuardedRedis, name: str) -> None:
    redis = server.client(name)
    for words in (
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
        ("CONFIG", "REWRITE"),
        ("SHUTDOWN", "NOSAVE"),
        ("MONITOR",),
        ("KEYS", "*"),
        ("CLIENT", "LIST"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("ACL", "SETUSER", name, "allkeys"),
        ("ACL", "LIST"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("BGREWRITEAOF",),
        ("SCRIPT", "FLUSH"),
        ("SAVE",),
        ("SWAPDB", "0", "1"),
        *([("FUNCTION", "FLUSH"), ("FUNCTION", "LOAD", "x")] if server.version >= users.SELECTORS else []),
    ):
        assert is_denied(redis, *words), words
    assert server.admin().config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("name", SERVICES)
def test_no_user_can_read_or_write_keys_of_others(server: GuardedRedis, name: str) -> None:
    redis = server.client(name)
    server.admin().set(OTHER, "secret")
    for words in (
        ("GET", OTHER),
        ("SET", OTHER, "1"),
        ("DEL", OTHER),
        ("RENAME", OTHER, "rq:job:1"),
        ("EVAL", "return redis.call('GET', KEYS[1])", 1, OTHER),
        ("EVAL", f"return redis.call('GET', '{OTHER}')", 0),  # a key that the script does not declare
        ("EVAL", f"return redis.call('SET', '{OTHER}', 1)", 0),
        ("EVAL", "return redis.call('FLUSHALL')", 0),
    ):
        assert is_denied(redis, *words), words
    assert server.admin().get(OTHER) == b"secret"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("consumer", keys.rq_worker("worker-1")),
        ("consumer", keys.RQ_FAILED),
        ("launcher", keys.WAITING),
        ("queue-ui", keys.WAITING),
        ("queue-ui", keys.run("run-1")),
    ],
)
def test_a_user_reaches_no_keys_that_its_service_does_not_need(
    server: GuardedRedis, name: str, key: str
) -> None:
    assert is_denied(server.client(name), "GET", key)
    assert is_denied(server.client(name), "DEL", key)


@pytest.mark.parametrize("name", ["consumer", "web", "launcher", "queue-ui"])
def test_names_of_keys_are_not_revealed(server: GuardedRedis, name: str) -> None:
    assert is_denied(server.client(name), "SCAN", "0")
    assert is_denied(server.client(name), "RANDOMKEY")


def test_the_launcher_only_counts(server: GuardedRedis) -> None:
    redis = server.client("launcher")
    for words in (("RPUSH", keys.RQ_QUEUE, "x"), ("LRANGE", keys.RQ_QUEUE, "0", "-1"), ("INFO",)):
        assert is_denied(redis, *words), words


def test_nobody_is_let_in_without_a_password(server: GuardedRedis) -> None:
    for words in (("GET", OTHER), ("FLUSHALL",), ("EVAL", "return 1", "0"), ("MULTI",)):
        with pytest.raises(AuthenticationError):
            server.stranger().execute_command(*words)  # type: ignore[no-untyped-call]
    for user in ("default", "consumer", "launcher"):
        for password in ("", "x", "nopass"):
            url = server.address.replace("://", f"://{user}:{password}@")
            with pytest.raises((AuthenticationError, ResponseError)):
                queue.connect(url).ping()


def test_what_was_accepted_is_still_there_after_a_kill_of_redis(server: GuardedRedis) -> None:
    """Redis replays transactions with the rights of the user ``default``."""
    send(server.client("consumer"), [0, 1])
    server.kill()
    server.start()
    assert queue.waiting(server.client("consumer")) == 2
    assert queue.depth(server.client("consumer")) == 1


def test_data_from_before_there_were_users_is_adopted(tmp_path: Path) -> None:
    with guarded_redis.running(PROGRAMS[0]) as server:
        server.kill()
        server.start_without_users()
        send(server.stranger(), [0, 1, 2])
        server.kill()
        server.start()
        work(server.client("worker"), store := FaultyStore(tmp_path / "messages.db"))
        assert stored(store) == 3


def test_passwords_stay_and_redis_gets_their_hashes_alone(tmp_path: Path) -> None:
    users.keep(tmp_path, "redis://host:6379/0")
    kept = {name: (tmp_path / name / "password").read_text() for name in users.RULES}
    users.keep(tmp_path, "redis://host:6379/0")
    acl = (tmp_path / users.SERVER).read_text()
    assert len(set(kept.values())) == len(users.RULES)
    for name, password in kept.items():
        assert len(password) >= 40
        assert users.url_file(tmp_path, name).read_text() == f"redis://{name}:{password}@host:6379/0"
        assert password not in acl
        assert f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()} " in acl


def test_its_files_are_their_owners_alone(tmp_path: Path) -> None:
    users.keep(tmp_path, "redis://host:6379/0")
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {0o700, 0o600}
