"""``down`` ends everything in time, whatever state the system and its files are in.

The tests share a system; each starts it where the one before has not.
"""

import os
import signal

import pytest

from tests.support.launched import Launched
from tests.support.sender import Sender
from tests.support.stored_at_a_stop import assert_stored_once
from tests.support.waiting import Stopwatch, until

pytestmark = pytest.mark.system

DOWN_S = 10.0


@pytest.mark.parametrize(
    "name",
    ["plan.json", *(pytest.param(one, marks=pytest.mark.long) for one in ("supervisor.conf", "web.lock"))],
)
def test_a_run_file_that_was_cut_off_is_named_and_down_stops_everything_in_order(
    system: Launched, name: str
) -> None:
    system.up()
    with Sender(system.gateway_port, f"to-the-last-{name}") as sender:
        until(lambda: len(sender.accepted) >= 100, 20)
        file = system.home / "run" / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        status = system.start_sh("status")
        assert "Traceback" not in status.stderr
        if name == "plan.json":
            assert status.returncode == 1
            assert status.stderr.startswith(f"start.sh: {file} is damaged")
            assert status.stderr.count("\n") == 1
        done = system.down()
    assert done.stdout.splitlines()[-1] == "stopped"
    assert system.processes() == {}
    assert_stored_once(system, sender, done)
    system.up()


def test_a_supervisor_that_hangs_does_not_keep_down_from_storing_what_was_accepted_within_10_s(
    system: Launched,
) -> None:
    system.up()
    with Sender(system.gateway_port, "to-the-last") as sender:
        until(lambda: len(sender.accepted) >= 100, 20)
        os.kill(system.pids()["supervisord"], signal.SIGSTOP)
        watch = Stopwatch()
        done = system.start_sh("down")
        took_s = watch.seconds
    assert (done.returncode, done.stderr) == (0, "")
    assert took_s <= DOWN_S
    assert system.processes() == {}
    assert_stored_once(system, sender, done)


@pytest.mark.parametrize(
    "name", ["redis", *(pytest.param(one, marks=pytest.mark.long) for one in ("producer", "worker-1"))]
)
def test_a_part_that_is_frozen_does_not_keep_down_longer_than_10_s(system: Launched, name: str) -> None:
    system.up()
    os.kill(system.pids()[name], signal.SIGSTOP)
    watch = Stopwatch()
    system.down()
    assert watch.seconds <= DOWN_S
    assert system.processes() == {}
