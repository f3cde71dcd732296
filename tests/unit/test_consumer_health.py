"""The consumer's check of its queue: what it publishes, how often, and that its start is recorded."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer
from redis import Redis, RedisError

from consumer import health
from consumer.health import SERVICE, HealthWatch
from pipeline.queue import client, server_info
from pipeline.queue.server_info import ServerInfo
from tests.support.waiting import until

FIT = ServerInfo("7.4.0", "noeviction", 0, 0)
OK, NOT_OK = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Queue:
    """What the check reads, as the test sets it."""

    def __init__(self) -> None:
        self.info: ServerInfo | RedisError = FIT
        self.messages = 0
        self.checked_s: list[float] = []

    def read(self, redis: Redis) -> ServerInfo:
        self.checked_s.append(time.monotonic())
        if isinstance(self.info, RedisError):
            raise self.info
        return self.info


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr(server_info, "read", queue.read)
    monkeypatch.setattr(client, "waiting", lambda redis: queue.messages)
    monkeypatch.setattr(client, "depth", lambda redis: 0)
    monkeypatch.setattr(health, "_check_durability", lambda redis: None)
    return queue


@pytest.fixture
def servicer() -> HealthServicer:
    return HealthServicer()


@pytest.fixture
def watch(queue: Queue, servicer: HealthServicer, tmp_path: Path) -> Iterator[HealthWatch]:
    nowhere = client.connect(f"unix://{tmp_path}/redis.sock")
    watch = HealthWatch(nowhere, servicer, name="consumer-1", queue_limit=10)
    yield watch
    watch.stop()


def published(servicer: HealthServicer) -> set[Any]:
    """What ``grpc.health.v1`` says of the server and of the service."""
    asked = [health_pb2.HealthCheckRequest(service=name) for name in ("", SERVICE)]
    return {servicer.Check(one, None).status for one in asked}  # type: ignore[arg-type]  # it uses no context


def test_before_the_first_check_it_is_not_ready(watch: HealthWatch) -> None:
    assert not watch.ready


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        ((FIT, 9), True),
        ((FIT, 10), False),
        ((ServerInfo("6.0.16", "noeviction", 0, 0), 0), False),
        ((ServerInfo("7.4.0", "allkeys-lru", 0, 0), 0), False),
        ((RedisError("unavailable"), 0), False),
    ],
    ids=["room", "full", "old", "evicts", "unavailable"],
)
def test_it_is_ready_and_serving_only_if_messages_could_be_accepted(
    queue: Queue, servicer: HealthServicer, watch: HealthWatch, found: tuple[Any, int], ready: bool
) -> None:
    queue.info, queue.messages = found
    watch.check()
    assert watch.ready is ready
    assert published(servicer) == {OK if ready else NOT_OK}


def test_a_change_is_logged_once(queue: Queue, watch: HealthWatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    queue.info = RedisError("unavailable")
    watch.check()
    watch.check()
    queue.info = FIT
    watch.check()
    watch.check()
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "Redis is unavailable: unavailable"),
        ("INFO", "messages can be accepted"),
    ]


def test_it_checks_once_a_period_until_it_is_stopped(
    queue: Queue, servicer: HealthServicer, watch: HealthWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PERIOD_S", 0.1)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    until(lambda: len(queue.checked_s) >= 3, what="checks")
    assert all(after - before >= 0.1 for before, after in pairwise(queue.checked_s))
    watch.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert published(servicer) == {NOT_OK}
