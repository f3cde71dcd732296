"""``down`` ends all containers in time, whatever state they are in and however they were started."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.compose import engine
from launcher.configuration import CHECKOUT, without_settings
from tests.support.compose_site import Site
from tests.support.waiting import Stopwatch, until

pytestmark = pytest.mark.long

DOWN_S = 10.0
FROZEN = ("worker", "redis")


@pytest.fixture
def own_site() -> Iterator[Site]:
    """A system of the test's own, which does not run yet."""
    with tempfile.TemporaryDirectory(prefix="fizzbuzz-stop-") as folder:
        site = Site(Path(folder))
        yield site
        done = site.start_sh("down", "--wipe")
        assert (done.returncode, site.left()) == (0, []), done.stdout + done.stderr


def _start(site: Site, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "launcher", *words],
        cwd=CHECKOUT,
        env={**without_settings(os.environ), **site.settings},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.timeout(300)
def test_down_after_an_up_that_was_killed_and_with_frozen_containers(own_site: Site) -> None:
    with _start(own_site, "up", "--mode", "docker") as starting:
        until(lambda: bool(own_site.containers()), 200, "a container is there")
        os.killpg(starting.pid, signal.SIGKILL)
    done = own_site.start_sh("down")
    assert done.returncode == 0, done.stderr
    assert own_site.containers() == []

    own_site.up()
    with _start(own_site, "logs", "-f") as following:
        for service in FROZEN:
            engine.run("kill", "--signal", "STOP", own_site.containers(service)[0].id)
        watch = Stopwatch()
        done = own_site.start_sh("down")
        took_s = watch.seconds
        assert done.returncode == 0, done.stderr
        assert own_site.containers() == []
        assert following.wait(10) == 0
    assert took_s <= DOWN_S
