"""What hangs without dying is restarted, and status names it, and not those that wait for it."""

import json
import os
import signal
from typing import Any

import pytest

from launcher.local.watchdog import SILENT_S
from tests.support.launched import Launched
from tests.support.sender import Sender
from tests.support.stored_at_a_stop import assert_stored_once
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

RESTARTED_S = 60.0


@pytest.fixture
def running(new_system: NewSystem) -> Launched:
    system = new_system()
    system.up()
    return system


@pytest.mark.long
@pytest.mark.timeout(240)
def test_each_that_is_frozen_is_restarted_and_nothing_accepted_is_lost(running: Launched) -> None:
    # What is frozen holds up the next request: that there are few in a minute is no harm.
    with Sender(running.gateway_port, "through-all-hangs", pause_s=0.2) as sender:
        frozen = {name: pid for name, pid in running.pids().items() if name != "watchdog"}
        for name in ("consumer", "redis", "supervisord"):
            pid = running.pids()[name]
            os.kill(pid, signal.SIGSTOP)
            until(lambda name=name, pid=pid: running.pids().get(name) not in (None, pid), RESTARTED_S)  # type: ignore[misc]
            until(running.is_well, 60)
        assert not set(frozen.values()) & set(running.pids().values())  # Supervisor's end is everybody's
    assert_stored_once(running, sender, running.down())


def test_status_names_the_frozen_redis_and_not_five_services(running: Launched) -> None:
    os.kill(running.status()["redis"]["pid"], signal.SIGSTOP)
    answers: list[tuple[int, dict[str, Any]]] = []

    def consumer_is_ill() -> bool:
        done = running.start_sh("status", "--json")
        answers.append((done.returncode, {one["name"]: one for one in json.loads(done.stdout)["services"]}))
        return bool(answers[-1][1]["consumer"]["state"] != "healthy")

    until(consumer_is_ill, SILENT_S)
    code, statuses = answers[-1]
    assert statuses["redis"]["reason"] == "does not answer"
    others = {
        one["reason"] for name, one in statuses.items() if name != "redis" and one["state"] != "healthy"
    }
    assert others == {"waits for redis"}
    assert code == 1


def test_what_is_not_ready_for_want_of_another_is_not_restarted(new_system: NewSystem) -> None:
    system = new_system(FIZZBUZZ_RATE="0")
    system.up()
    before = system.pids()
    os.kill(before["supervisord"], signal.SIGSTOP)  # so that the consumer stays down
    system.kill(before["consumer"])
    until(lambda: system.status()["gateway"]["reason"] == "waits for consumer", 10)
    until(lambda: system.pids().get("supervisord") not in (None, before["supervisord"]), RESTARTED_S)
    log = (system.home / "logs" / "watchdog.log").read_text()
    assert "gateway has not answered" not in log
