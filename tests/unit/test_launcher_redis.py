"""The launcher's few words of Redis's protocol, with a real Redis."""

from pathlib import Path

import pytest

from launcher.local import redis_server
from launcher.local.resp import Redis
from launcher.problem import Problem
from tests.redis_server import RedisServer


def test_one_command_has_one_answer(shared_redis: RedisServer) -> None:
    shared_redis.client().flushall()
    shared_redis.client().rpush("list", "a", "b")
    with Redis(shared_redis.url) as redis:
        assert redis.ask("PING") == "PONG"
        assert redis.ask("LLEN", "list") == "2"


def test_an_error_for_an_answer_is_an_os_error(shared_redis: RedisServer) -> None:
    with Redis(shared_redis.url) as redis, pytest.raises(OSError, match="unknown command"):
        redis.ask("NONSENSE")


def test_nobody_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Redis(f"unix://{tmp_path}/none.sock")


def test_every_write_is_on_disk_before_it_is_answered_and_no_port_is_open(tmp_path: Path) -> None:
    argv = redis_server.argv(Path("redis-server"), tmp_path, tmp_path / "s", 9_000_000)
    words = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert (words["--maxmemory"], words["--maxmemory-policy"]) == ("9000000", "noeviction")
    assert (words["--appendonly"], words["--appendfsync"], words["--save"]) == ("yes", "always", "")
    assert words["--port"] == "0"


def test_data_of_a_newer_redis_is_not_silently_left_out(tmp_path: Path) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0'\n")
    old.chmod(0o755)
    redis_server.check_data(old, tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    with pytest.raises(Problem, match="newer redis-server"):
        redis_server.check_data(old, tmp_path)
