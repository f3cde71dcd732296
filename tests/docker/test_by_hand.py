"""``docker compose`` alone, in a fresh clone: without ``start.sh`` and without Python."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.compose import engine
from launcher.configuration import without_settings
from tests.support import behind_proxy, checkout
from tests.support.compose_site import inspect
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch, until

FREEZE = "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || [ $p = $$ ] || kill -STOP $p; done"
"""What a shell in a container stops all other processes of it with, except the init."""
PROJECT = f"fizzbuzz-by-hand-{secrets.token_hex(3)}"


class ByHand:
    """A clone, and what a user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = ("FIZZBUZZ_WEB_PORT", "FIZZBUZZ_GATEWAY_PORT", "FIZZBUZZ_INFLUX_PORT")
        self.settings = {name: str(free_port()) for name in ports}
        self.environ = {**without_settings(os.environ), **self.settings, "COMPOSE_PROJECT_NAME": PROJECT}

    def compose(self, *words: str) -> str:
        command = ["docker", "compose", "-f", "deploy/docker-compose.yml", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def container(self, service: str) -> str:
        return self.compose("ps", "--quiet", service).strip()

    def stats(self) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.settings['FIZZBUZZ_WEB_PORT']}/fizzbuzz/stats"
        found: dict[str, object] = json.loads(behind_proxy.read(url))
        return found


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    found = ByHand(checkout.copy_to(tmp_path_factory.mktemp("clone") / checkout.ODD))
    try:
        found.compose("up", "--build", "--detach", "--wait")
        yield found
    finally:
        found.compose("--profile", "*", "down", "--volumes", "--rmi", "local", "--timeout", "2")


@pytest.mark.timeout(400)
def test_it_brings_the_system_up_and_nothing_is_written_into_the_clone(by_hand: ByHand) -> None:
    until(lambda: by_hand.stats()["stored_total"], 30, "a message is stored and shown")
    assert by_hand.stats()["store"] == "influxdb"
    assert not (by_hand.folder / ".env").exists()
    assert not (by_hand.folder / ".fizzbuzz").exists()


def test_the_password_was_made_at_random_and_can_be_shown_to_who_may_use_the_engine(by_hand: ByHand) -> None:
    words = ("run", "--rm", "--no-deps", "-T", "secrets", "cat", "/secrets/influxdb/influxdb_password")
    assert len(by_hand.compose(*words).strip()) >= 24
    assert not {"/run/secrets"} & set(by_hand.compose("exec", "gateway", "sh", "-c", "mount").split())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "service",
    ["gateway", *(pytest.param(one, marks=pytest.mark.long) for one in ("redis", "influxdb", "proxy"))],
)
def test_a_container_that_hangs_is_started_again(by_hand: ByHand, service: str) -> None:
    container = by_hand.container(service)
    before = inspect(container)[0]["RestartCount"]
    engine.run("exec", container, "sh", "-c", FREEZE)
    begun = time.monotonic()
    until(lambda: inspect(container)[0]["RestartCount"] > before, 90, f"{service} is started again")
    print(f"{service}: {time.monotonic() - begun:.0f} s")
    until(lambda: inspect(container)[0]["State"]["Health"]["Status"] == "healthy", 60, "it is healthy")


def test_the_database_is_asked_to_stop_by_the_signal_that_it_heeds(by_hand: ByHand) -> None:
    container = by_hand.container("influxdb")
    watch = Stopwatch()
    by_hand.compose("stop", "--timeout", "30", "influxdb")
    assert watch.seconds < 20
    assert inspect(container)[0]["State"]["ExitCode"] == 0
