"""An InfluxDB of the system's own: whoever reaches one that was not set up yet could make it his own."""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from launcher.configuration import CHECKOUT
from tests.support.ports import free_port
from tests.system.conftest import NewSystem

pytestmark = [pytest.mark.system, pytest.mark.influx]

OUTER = "127.0.0.2"
"""Stands for an address of the network: what listens on 127.0.0.1 is not reached by it."""


@pytest.mark.skipif(not shutil.which("influxd"), reason="no influxd is on PATH")
@pytest.mark.skipif(os.uname().sysname != "Linux", reason="127.0.0.2 is an address on Linux alone")
def test_the_outer_address_never_answers_before_the_set_up(new_system: NewSystem) -> None:
    port = free_port()
    system = new_system(FIZZBUZZ_STORE="influxdb", FIZZBUZZ_BIND=OUTER, FIZZBUZZ_INFLUX_PORT=str(port))
    seen = set()
    command = [str(CHECKOUT / "start.sh"), "up", "--mode", "local"]
    with subprocess.Popen(command, env=system.environ(), stderr=subprocess.PIPE, text=True) as starting:
        while starting.poll() is None:
            seen.add(_may_be_set_up(f"http://{OUTER}:{port}/api/v2/setup"))
        assert starting.returncode == 0, starting.stderr and starting.stderr.read()
    seen.add(_may_be_set_up(f"http://{OUTER}:{port}/api/v2/setup"))
    assert True not in seen
    assert False in seen
    listed = system.start_sh("runs")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("producer · ")


def _may_be_set_up(url: str) -> bool | None:
    """None where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(json.loads(answer.read())["allowed"])
    except OSError:
        return None
