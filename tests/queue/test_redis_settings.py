"""Settings of a group of Redis servers that are wrong: one clear line, from the service that reads them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from launcher.errors import UserError
from launcher.local import redis_queue
from pipeline.queue import keys, sentinel_url
from tests.support import guarded_redis, redis_group
from tests.support.consumer_process import ConsumerProcess, code_of, store
from tests.support.redis_group import RedisGroup
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until

REPLICAS = "FIZZBUZZ_REDIS_REPLICAS"


@pytest.fixture(scope="module")
def group() -> Iterator[RedisGroup]:
    with redis_group.running() as group:
        yield group


def last_lines(service: str, directory: Path, **settings: str) -> tuple[int, list[str]]:
    """Exit status and output of a service that can't start."""
    process = ServiceProcess(service, directory, **settings)
    process.start()
    try:
        return process.wait(), process.text().splitlines()
    finally:
        process.kill()


@pytest.mark.parametrize("service", ["consumer", "worker"])
def test_a_url_without_the_name_of_a_primary_ends_the_service_with_one_line(
    tmp_path: Path, service: str
) -> None:
    url = "redis+sentinel://consumer:geheim@127.0.0.1:1"
    status, (line,) = last_lines(service, tmp_path, REDIS_URL=url)
    assert status == 2
    assert line.startswith(f"{service}: REDIS_URL: must be redis+sentinel://host:port,host:port/name")
    assert "geheim" not in line


@pytest.mark.parametrize("service", ["consumer", "worker"])
def test_a_name_that_no_sentinel_knows_ends_the_service_with_one_line(
    group: RedisGroup, tmp_path: Path, service: str
) -> None:
    url = group.url(service).replace("/fizzbuzz/", "/fizzbuz/")
    status, (line,) = last_lines(service, tmp_path, REDIS_URL=url)
    assert status == 1
    assert "REDIS_URL: the Sentinels at 127.0.0.1:" in line
    assert "know no primary fizzbuz; they watch: fizzbuzz" in line


def test_a_redis_without_waitaof_ends_the_consumer_with_one_line(tmp_path: Path) -> None:
    old = [one for one in guarded_redis.programs() if not one.version.startswith("8.")]
    if not old:
        pytest.skip("no redis-server older than 7.2 on this machine")
    with guarded_redis.running(old[0]) as server:
        given = {"REDIS_URL": server.url("consumer"), REPLICAS: "1"}
        status, (line,) = last_lines("consumer", tmp_path, **given)
    assert status == 1
    assert f"{REPLICAS}=1 needs Redis 7.2 or newer (WAITAOF), not {old[0].version}" in line


def test_more_replicas_than_there_are_is_one_line_at_readyz_and_nothing_is_accepted(
    group: RedisGroup, tmp_path: Path
) -> None:
    process = ConsumerProcess(tmp_path, group.url("consumer"), **{REPLICAS: "3"})
    try:
        until(lambda: process.is_up and "FIZZBUZZ_REDIS_REPLICAS" in process.get("/readyz").text, 20)
        said = process.get("/readyz")
        assert said.status_code == 503
        assert said.text.startswith(f"not ready: {REPLICAS}=3, but Redis has 2 replicas: 127.0.0.1:")
        with process.channel() as channel:

            def refuses() -> bool:
                call = store(channel, 1)
                assert code_of(call) == grpc.StatusCode.UNAVAILABLE
                return "2 of 3 replicas confirmed" in call.details()  # fewer, where one is late

            until(refuses, 20, "two have confirmed")
        refused = "fizzbuzz_consumer_refused_calls_total"
        assert process.metric(refused, reason="queue_unreplicated") >= 1
    finally:
        process.kill()


def test_readyz_names_the_replicas_that_have_each_write_on_disk(group: RedisGroup, tmp_path: Path) -> None:
    process = ConsumerProcess(tmp_path, group.url("consumer"), **{REPLICAS: "2"})
    try:
        process.wait_ready()
        primary = group.primary()
        named = ", ".join(f"127.0.0.1:{port}" for port in sorted(group.ports) if port != primary)
        text = f"ready: Redis has 2 replicas: {named}\n"
        until(lambda: process.get("/readyz").text == text, 20, text)
        frozen = group.replicas[0]
        frozen.freeze()
        try:
            text = "not ready: 1 of 2 replicas confirmed"
            until(lambda: process.get("/readyz").text.startswith(text), 20, text)
        finally:
            frozen.thaw()
        process.wait_ready()
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("name", "needed", "said"), [("fizzbuz", 1, "know no primary"), ("fizzbuzz", 3, "has 2")]
)
def test_up_refuses_a_group_that_can_not_do_what_is_wanted(
    group: RedisGroup, name: str, needed: int, said: str
) -> None:
    url = group.url("consumer").replace("/fizzbuzz/", f"/{name}/")
    with pytest.raises(UserError, match=said) as found:
        redis_queue.check_outside(url, needed)
    assert "\n" not in str(found.value)


def test_up_accepts_a_group_that_can(group: RedisGroup) -> None:
    redis_queue.check_outside(group.url("consumer"), 2)


def test_rq_finds_the_primary_by_its_own_settings(group: RedisGroup, tmp_path: Path) -> None:
    address = sentinel_url.parse(group.url("worker"))
    settings = {
        "INSTANCES": list(address.sentinels),
        "MASTER_NAME": address.primary,
        "USERNAME": address.username,
        "PASSWORD": address.password,
        "SENTINEL_KWARGS": {"username": address.sentinel_username, "password": address.sentinel_password},
    }
    (tmp_path / "rq_settings.py").write_text(f"SENTINEL = {settings!r}\n")
    group.client("worker").sadd(keys.RQ_QUEUES, keys.RQ_QUEUE)
    words = [sys.executable, "-m", "rq.cli", "info", "--config", "rq_settings", "--path", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "messages" in done.stdout
