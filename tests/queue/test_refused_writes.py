"""A Redis that answers and refuses writes: nobody calls it ready, and the reason is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from grpc_health.v1.health import HealthServicer
from redis import Redis, RedisError

from consumer.health import HealthWatch
from launcher.errors import UserError
from launcher.local import redis_queue
from pipeline.queue import keys
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from web.queue_reader import QueueReader, QueueRequest


def become_replica(redis: Redis) -> None:
    redis.replicaof("127.0.0.1", 1)


def lose_replicas(redis: Redis) -> None:
    redis.config_set("min-replicas-to-write", 1)


def fail_snapshot(redis: Redis) -> None:
    """As on a full disk: the file can't be put in its place. Redis refuses writes then by default."""
    (Path(str(redis.config_get("dir")["dir"])) / "dump.rdb").mkdir()
    redis.config_set("save", "3600 1")
    redis.bgsave()
    until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", what="no snapshot fails")


def accept_again(redis: Redis) -> None:
    redis.replicaof("NO", "ONE")
    redis.config_set("min-replicas-to-write", 0)
    redis.config_set("save", "")


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        (become_replica, "it is a replica of another server"),
        (lose_replicas, "NOREPLICAS"),
        (fail_snapshot, "MISCONF"),
    ],
)
def test_the_consumer_is_not_ready_and_says_why(
    own_redis: RedisServer, refuse: Callable[[Redis], None], reason: str
) -> None:
    redis = own_redis.client()
    watch = HealthWatch(redis, HealthServicer(), name="consumer-1", queue_limit=10)

    def look() -> bool:
        watch.check()
        watch.report()
        return watch.ready

    assert look()
    refuse(redis)
    with pytest.raises(RedisError):
        redis.set("one", "write")
    look()
    assert not look()
    assert watch.detail.startswith("Redis refuses writes: ")
    assert reason in watch.detail
    accept_again(redis)
    look()
    assert look()


@pytest.mark.parametrize(("refuse", "reason"), [(become_replica, "a replica"), (fail_snapshot, "MISCONF")])
def test_the_page_is_told_why(own_redis: RedisServer, refuse: Callable[[Redis], None], reason: str) -> None:
    redis = own_redis.client()
    reader = QueueReader(redis, "web")
    assert reader.read(QueueRequest()).refusal == ""
    redis.pexpire(keys.EVENTS_WRITER, 10_000)  # so that the log's writer writes at the next reading
    refuse(redis)
    assert reason in reader.read(QueueRequest()).refusal
    accept_again(redis)
    assert reader.read(QueueRequest()).refusal == ""


def test_up_refuses_a_replica(own_redis: RedisServer) -> None:
    redis_queue.check_outside(own_redis.url)
    become_replica(own_redis.client())
    with pytest.raises(UserError, match="is a replica"):
        redis_queue.check_outside(own_redis.url)
