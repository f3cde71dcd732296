"""Which Redis a system may use, and what becomes of the messages in one that it used before."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from redis import Redis

from tests.support.launched import Launched
from tests.support.redis_server import RedisServer
from tests.support.stored_at_a_stop import WAITS
from tests.support.waiting import Stopwatch, until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

REFUSED_S = 5.0
SENT_AT = "2026-01-01T00:00:00Z"


@contextmanager
def _server(answer: bytes) -> Iterator[str]:
    """The URL of something that gives one answer to whatever it is sent; none where it is empty."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    while connection.recv(4_096) and answer:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://:the-password@127.0.0.1:{listening.getsockname()[1]}/0"
        listening.shutdown(socket.SHUT_RDWR)


def _refusal(system: Launched, url: str) -> str:
    watch = Stopwatch()
    done = system.start_sh("up", "--mode", "local", REDIS_URL=url)
    assert watch.seconds < REFUSED_S
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1
    assert "the-password" not in done.stdout + done.stderr
    assert system.processes() == {}
    return done.stderr


def test_an_outside_redis_that_may_evict_is_refused(new_system: NewSystem, own_redis: RedisServer) -> None:
    own_redis.client().config_set("maxmemory-policy", "allkeys-lru")
    line = _refusal(new_system(), own_redis.url)
    assert line.startswith("start.sh: REDIS_URL")
    assert "maxmemory-policy allkeys-lru" in line


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7"])
def test_an_outside_redis_that_is_too_old_is_refused(new_system: NewSystem, version: str) -> None:
    info = f"# Server\r\nredis_version:{version}\r\nmaxmemory_policy:noeviction\r\n"
    with _server(f"${len(info)}\r\n{info}\r\n".encode()) as url:
        line = _refusal(new_system(), url)
    assert line.startswith("start.sh: REDIS_URL")
    assert version in line
    assert "6.2" in line


@pytest.mark.parametrize(
    "answer", [b"", b"-WRONGPASS invalid username-password pair\r\n", b"HTTP/1.1 400\r\n"]
)
def test_an_outside_redis_that_gives_no_answer_is_refused(new_system: NewSystem, answer: bytes) -> None:
    with _server(answer) as url:
        assert _refusal(new_system(), url).startswith("start.sh: REDIS_URL")


@pytest.mark.long
def test_another_redis_is_not_taken_while_the_system_runs(system: Launched, own_redis: RedisServer) -> None:
    pids = system.pids()
    done = system.start_sh("up", REDIS_URL=own_redis.url)
    assert done.returncode == 0
    assert "REDIS_URL differs" in done.stdout
    assert system.pids() == pids
    system.until_healthy()


@pytest.mark.long
def test_messages_that_wait_in_the_own_redis_are_not_left_behind_for_an_outside_one(
    new_system: NewSystem, own_redis: RedisServer
) -> None:
    system = new_system(FIZZBUZZ_RATE="0")
    system.up()
    os.kill(system.pids()["worker-1"], signal.SIGSTOP)
    for number in range(3):
        message = {"run": "left", "number": number, "sent_at": SENT_AT}
        url = f"http://127.0.0.1:{system.gateway_port}/messages"
        assert requests.post(url, json=message, timeout=10).status_code == 202
    assert WAITS in system.down().stdout
    done = system.start_sh("up", "--mode", "local", REDIS_URL=own_redis.url)
    assert done.returncode == 1
    assert done.stderr.startswith("start.sh: REDIS_URL is set, but ")
    assert "without REDIS_URL" in done.stderr
    assert done.stderr.count("\n") == 1
    assert system.processes() == {}
    system.up()
    until(lambda: len(system.rows("select number from message where run = 'left'")) == 3, 20)
    system.down()
    system.up(REDIS_URL=own_redis.url)
    system.until_healthy()


def test_its_own_redis_has_each_message_on_disk_before_it_is_answered(system: Launched) -> None:
    """kill -9 can't distinguish ``appendfsync always`` from ``everysec``, as the kernel keeps the data."""
    assert "fizzbuzz_consumer_queue_durable 1.0" in system.metrics("consumer")
    with Redis.from_url(system.redis_url("consumer")) as redis:
        assert redis.config_get("append*")["appendonly"] == "yes"
        assert redis.config_get("append*")["appendfsync"] == "always"
