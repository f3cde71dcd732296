"""What the users of a group of servers may do: replicas and Sentinels there, services at a Sentinel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.support import redis_group
from tests.support.redis_group import RedisGroup


@pytest.fixture(scope="module")
def group() -> Iterator[RedisGroup]:
    with redis_group.running() as group:
        yield group


def is_denied(redis: Redis, *words: str) -> bool:
    try:
        redis.execute_command(*words)  # type: ignore[no-untyped-call]
    except NoPermissionError:
        return True
    return False


@pytest.mark.parametrize("service", ["consumer", "worker"])
def test_consumer_and_worker_may_wait_for_replicas(group: RedisGroup, service: str) -> None:
    assert not is_denied(group.client(service), "WAITAOF", "1", "1", "1")


@pytest.mark.parametrize("name", ["replica", "sentinel"])
def test_replicas_and_sentinels_can_not_read_or_write_keys(group: RedisGroup, name: str) -> None:
    redis = group.as_user(name, group.primary())
    for words in (("GET", "rq:queues"), ("SET", "x", "1"), ("FLUSHALL",), ("CONFIG", "SET", "hz", "10")):
        assert is_denied(redis, *words), words


def test_a_service_may_only_ask_a_sentinel_where_servers_are(group: RedisGroup) -> None:
    redis = group.as_user("sentinel-client", group.sentinel_ports[0])
    assert not is_denied(redis, "SENTINEL", "MASTERS")
    for words in (
        ("SENTINEL", "FAILOVER", "fizzbuzz"),
        ("SENTINEL", "REMOVE", "fizzbuzz"),
        ("SENTINEL", "SET", "fizzbuzz", "quorum", "1"),
        ("SENTINEL", "RESET", "*"),
        ("SENTINEL", "CONFIG", "SET", "resolve-hostnames", "no"),
        ("SHUTDOWN",),
        ("ACL", "LIST"),
    ):
        assert is_denied(redis, *words), words


def test_nobody_is_let_in_without_a_password(group: RedisGroup) -> None:
    for port in (group.primary(), group.sentinel_ports[0]):
        with pytest.raises(AuthenticationError):
            Redis.from_url(f"redis://127.0.0.1:{port}").ping()


def test_its_files_are_their_owners_alone(group: RedisGroup) -> None:
    modes = {path.stat().st_mode & 0o777 for path in Path(group.files).rglob("*")}
    assert modes == {0o700, 0o600}
