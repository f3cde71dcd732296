"""The users of the system's own Redis, while the whole system runs by them."""

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
import requests
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.support.launched import HEALS_S, Launched
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

USERS = ("consumer", "worker", "web", "launcher", "queue-ui")
SENT_AT = "2026-01-01T00:00:00Z"


def file(system: Launched, user: str, name: str = "url") -> Path:
    return system.home / "data" / "redis-users" / user / name


def client(system: Launched, user: str) -> Redis:
    return Redis.from_url(system.redis_url(user))


def stranger(system: Launched) -> Redis:
    return Redis(unix_socket_path=str(system.home / "run" / "redis.sock"))


def test_the_system_runs_and_its_redis_lets_nobody_else_in(system: Launched) -> None:
    until(system.is_well, HEALS_S)
    with pytest.raises(AuthenticationError):
        stranger(system).ping()
    for user in USERS:
        with pytest.raises(NoPermissionError):
            client(system, user).flushall()
        with pytest.raises(NoPermissionError):
            client(system, user).config_set("maxmemory", "1")
        with pytest.raises(NoPermissionError):
            client(system, user).set("somebody:else", "1")


def test_each_service_connects_as_its_own_user(system: Launched) -> None:
    """By what the kernel says of each process: the file that its environment names, and no password."""
    for service, pid in system.pids().items():
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        urls = [one.partition("=")[2] for one in environ if one.startswith("REDIS_URL")]
        user = service.partition("-")[0]
        assert urls == ([str(file(system, user))] if user in ("consumer", "worker", "web") else [])


def test_passwords_are_their_owners_alone_and_nowhere_to_be_seen(system: Launched) -> None:
    paths = [file(system, user, name) for user in USERS for name in ("password", "url")]
    paths.append(system.home / "data" / "redis-users" / "server" / "users.acl")
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    shown = [system.up().stdout, *(system.start_sh(word).stdout for word in ("status", "logs"))]
    shown += system.processes().values()
    shown += [Path(f"/proc/{pid}/environ").read_bytes().decode() for pid in system.pids().values()]
    for user in USERS:
        password = file(system, user, "password").read_text()
        assert len(password) >= 40
        assert not any(password in text for text in shown)


def test_what_up_says_about_the_queue_can_be_typed(system: Launched) -> None:
    (line,) = [one for one in system.up().stdout.splitlines() if one.startswith("queue ")]
    command = line.removeprefix("queue").strip()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "worker-1" in done.stdout


def test_after_a_kill_of_redis_the_same_users_work_on_and_nothing_is_lost(new_system: NewSystem) -> None:
    system = new_system(FIZZBUZZ_RATE="0")
    system.up()
    os.kill(system.pids()["worker-1"], signal.SIGSTOP)
    for number in range(3):
        _post(system, number)
    passwords = [file(system, user, "password").read_text() for user in USERS]
    system.kill(system.pids()["redis"])
    os.kill(system.pids()["worker-1"], signal.SIGCONT)
    until(lambda: system.stats()["stored_total"] == 3, 20)
    system.down()
    system.up()
    assert [file(system, user, "password").read_text() for user in USERS] == passwords


@pytest.mark.long
def test_a_system_of_before_there_were_users_keeps_what_waits(new_system: NewSystem) -> None:
    """Its data has been written by a Redis that let everybody in."""
    system = new_system("a home", FIZZBUZZ_RATE="0")
    system.up()
    os.kill(system.pids()["worker-1"], signal.SIGSTOP)
    _post(system, 0)
    system.down()
    for user in (*USERS, "server"):
        for path in (system.home / "data" / "redis-users" / user).iterdir():
            path.unlink()
    system.up()
    until(lambda: system.stats()["stored_total"] == 1, 20)


def _post(system: Launched, number: int) -> None:
    message = {"run": "users", "number": number, "sent_at": SENT_AT}
    url = f"http://127.0.0.1:{system.gateway_port}/messages"
    assert requests.post(url, json=message, timeout=10).status_code == 202
