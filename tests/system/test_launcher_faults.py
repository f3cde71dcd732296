"""Whatever is killed comes back by itself, and no message is lost on the way."""

import os
import signal

import pytest
import requests

from pipeline.clock import to_rfc3339
from pipeline.queue import client as queue
from pipeline.queue import keys
from tests.support.launched import HEALS_S, Launched
from tests.support.redis_server import PATIENCE_S
from tests.support.sender import Sender
from tests.support.stored_at_a_stop import assert_stored_once
from tests.support.waiting import awaited, until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

ON_THE_PAGE = {
    "producer": "producer started a new run",
    "gateway": "gateway restarted",
    "consumer": "consumer restarted",
    "redis": "Redis restarted",
    "worker-1": "worker-1 restarted",
    "web": "web restarted",
}
"""What the page says of a service that was killed."""


@pytest.mark.timeout(200)
def test_each_process_killed_in_turn_comes_back_and_what_was_accepted_is_stored_once(
    new_system: NewSystem,
) -> None:
    system = new_system()
    system.up()
    _wait_for_the_event_log(system)
    names = list(system.pids())
    assert len(names) == 8  # six services, supervisord and its watchdog
    with Sender(system.gateway_port, "through-it-all") as sender:
        for name in names:
            _kill_and_wait(system, system.pids()[name])
            if name in ON_THE_PAGE:
                text = ON_THE_PAGE[name]
                awaited(lambda: _events(system), lambda events, text=text: text in events, HEALS_S, text)  # type: ignore[misc]
    assert_stored_once(system, sender, system.down())
    rows = system.rows("select number, arrived_ns from message where run = 'through-it-all'")
    stored = dict(rows)
    assert len(sender.accepted) > 100
    assert {number: to_rfc3339(stored[number]) for number in sender.arrived_at} == sender.arrived_at


def _wait_for_the_event_log(system: Launched) -> None:
    """Until Redis has the starts: a page that is killed before has nobody who remembers its start."""
    with queue.connect(system.redis_url("web"), timeout_s=PATIENCE_S) as redis:
        stored = awaited(lambda: str(redis.zrange(keys.EVENTS, 0, -1)), lambda text: "web started" in text)
    assert "Redis started" in stored


def _events(system: Launched) -> list[str]:
    """The newest events on the page; what came in their place while its service is restarted too."""
    try:
        return system.events()
    except requests.RequestException as error:
        return [str(error)]


def _kill_and_wait(system: Launched, pid: int) -> None:
    before = len(system.processes())
    system.kill(pid)
    until(lambda: pid not in system.processes(), 2)
    until(lambda: len(system.processes()) >= before and system.is_well(), HEALS_S)


def test_a_part_that_is_killed_again_and_again_is_back_within_seconds_each_time(system: Launched) -> None:
    before = system.status()["redis"]["restarts"]
    for _ in range(8):  # Supervisor by itself would wait 8 s by now
        pid = system.pids()["redis"]
        system.kill(pid)
        until(lambda pid=pid: system.pids().get("redis") not in (None, pid), 4)  # type: ignore[misc]
    until(system.is_well, HEALS_S)
    assert system.status()["redis"]["restarts"] == before + 8


def test_when_supervisor_and_its_watchdog_die_together_nothing_is_left_and_up_starts_anew(
    system: Launched,
) -> None:
    pids = system.pids()
    os.kill(pids["supervisord"], signal.SIGSTOP)  # or it would start the watchdog again in between
    system.kill(pids["watchdog"])
    system.kill(pids["supervisord"])
    until(lambda: system.processes() == {}, 3)
    system.up()
    system.until_healthy()


def test_a_part_that_does_not_stay_up_fails_the_start_with_its_own_last_log_line(
    new_system: NewSystem,
) -> None:
    system = new_system()
    data = system.home / "data" / "redis"
    data.mkdir(parents=True)
    (data / "appendonly.aof").write_text("no redis wrote this\n")
    done = system.start_sh("up", "--mode", "local")
    assert done.returncode == 1
    assert done.stderr.startswith("start.sh: redis doesn't stay up: ")
    assert done.stderr.count("\n") == 1
    assert "append only file" in done.stderr.lower()
    assert system.processes() == {}
    assert system.start_sh("status").returncode == 1
