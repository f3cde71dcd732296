"""Promises 1, 3 and 4 in containers: nothing that was acknowledged is lost or doubled, whatever is killed."""

import os
import secrets
import signal
import time

import pytest

from tests.docker import stored
from tests.docker.sender import Sender
from tests.docker.site import Site, inspect, until

SERVICES = ("producer", "gateway", "consumer", "worker", "redis", "influxdb", "web", "door")

AWAY_S = float(os.environ.get("FIZZBUZZ_STORE_AWAY_S", "20"))
"""How long the database is away."""


def _kill_main_process(site: Site, service: str) -> None:
    """As the kernel does it when memory ends; the engine must not take it for a person's stop."""
    pid = inspect(site.containers(service)[0].id)[0]["State"]["Pid"]
    try:
        os.kill(pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):
        pytest.skip(
            "the containers' processes can't be killed from here: that needs root, and a local engine"
        )


@pytest.fixture
def sender(site: Site) -> Sender:
    return Sender(site.settings["FIZZBUZZ_GATEWAY_PORT"], f"fault-{secrets.token_hex(4)}")


def _assert_all_stored_once(site: Site, sender: Sender) -> None:
    environment = site.environment()
    expected = sorted(sender.acknowledged)
    assert expected
    until(lambda: len(stored.numbers(environment, sender.run)) >= len(expected), 30, "all stored")
    until(lambda: site.stats()["queue_depth"] == 0, 30, "the queue is empty")
    found = stored.numbers(environment, sender.run)
    assert len(found) == len(set(found)), "doubled"
    assert set(expected) <= set(found), "lost"


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_part_is_back_by_itself_and_nothing_acknowledged_is_lost_or_doubled(
    site: Site, sender: Sender, service: str
) -> None:
    before = site.containers(service)[0]
    with sender:
        until(lambda: len(sender.acknowledged) > 20, 30, "a load")
        _kill_main_process(site, service)
        until(lambda: site.containers(service)[0].restarts > before.restarts, 10, "started again")
        until(site.all_healthy, 30, "healthy again")
        count = len(sender.acknowledged)
        until(lambda: len(sender.acknowledged) > count + 20, 30, "messages are accepted again")
    assert site.containers(service)[0].id == before.id
    _assert_all_stored_once(site, sender)
    until(lambda: site.stats()["run"]["missing"] == 0 and not site.stats()["error"], 15, "the page is right")


def test_while_the_database_is_away_messages_wait_and_keep_their_own_arrival_times(
    site: Site, sender: Sender
) -> None:
    with sender:
        until(lambda: len(sender.acknowledged) > 20, 30, "a load")
        site.compose("stop", "influxdb")
        stopped_s = time.monotonic()
        until(lambda: bool(site.stats()["error"]), 15, "the page says so")
        count, depth = len(sender.acknowledged), site.stats()["queue_depth"]
        until(lambda: site.stats()["queue_depth"] > depth, 15, "the queue grows")
        until(lambda: len(sender.acknowledged) > count + 20, 15, "messages are accepted all the same")
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - stopped_s)))
        site.compose("start", "influxdb")
        until(lambda: site.stats()["error"] is None, 30, "the page is content again")
    _assert_all_stored_once(site, sender)
    transmissions_ms = map(float, stored.field(site.environment(), sender.run, "transmission_ms"))
    assert max(transmissions_ms) < AWAY_S * 1000 / 2, "arrival is when a message came, not when it was stored"
    until(lambda: site.stats()["run"]["missing"] == 0, 30, "the page is right again")
