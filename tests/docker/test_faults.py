"""Promises 1, 3 and 4 in containers: nothing that was acknowledged is lost or doubled, whatever is killed."""

import os
import secrets
import signal
import time
from datetime import datetime

import pytest

from tests.support import compose_stored
from tests.support.compose_site import Site, inspect
from tests.support.sender import Sender
from tests.support.waiting import awaited, until

SERVICES = ("producer", "gateway", "consumer", "worker", "redis", "influxdb", "web", "proxy")

AWAY_S = float(os.environ.get("FIZZBUZZ_STORE_AWAY_S", "20"))
"""How long the database is unavailable."""


def _kill_main_process(site: Site, service: str) -> None:
    """As the kernel does it when memory ends; the engine must not treat it as a stop by a user."""
    pid = inspect(site.containers(service)[0].id)[0]["State"]["Pid"]
    try:
        os.kill(pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):
        pytest.skip(
            "the containers' processes can't be killed from here: that needs root, and a local engine"
        )


@pytest.fixture
def sender(site: Site) -> Sender:
    port = site.settings["FIZZBUZZ_GATEWAY_PORT"]
    return Sender(port, f"fault-{secrets.token_hex(4)}", batch=1, keep_alive=False)


def assert_all_stored_once(site: Site, sender: Sender) -> None:
    environment = site.environment()
    expected = sorted(sender.accepted)
    assert expected
    until(lambda: len(compose_stored.numbers(environment, sender.run)) >= len(expected), 30, "all stored")
    until(lambda: site.stats()["queue_depth"] == 0, 30, "the queue is empty")
    found = compose_stored.numbers(environment, sender.run)
    assert len(found) == len(set(found)), "doubled"
    assert set(expected) <= set(found), "lost"
    arrived = compose_stored.arrivals(environment, sender.run)
    answered = {number: datetime.fromisoformat(at) for number, at in sender.arrived_at.items()}
    assert {number: arrived[number] for number in answered} == answered


def test_parts_killed_one_after_another_are_back_by_themselves_and_nothing_acknowledged_is_lost_or_doubled(
    site: Site, sender: Sender
) -> None:
    before = {one.service: one for one in site.containers()}
    with sender:
        for service in SERVICES:
            _until_more_are_accepted(sender, f"a load before {service} is killed")
            _kill_main_process(site, service)
            restarts = before[service].restarts
            until(lambda: site.containers(service)[0].restarts > restarts, 10, f"{service} started again")  # noqa: B023
            _until_more_are_accepted(sender, f"messages are accepted after {service} was killed")
        until(site.all_healthy, 30, "all healthy again")
    assert {one.id for one in site.containers()} == {one.id for one in before.values()}
    assert_all_stored_once(site, sender)
    until(lambda: site.stats()["run"]["missing"] == 0 and not site.stats()["error"], 15, "the page is right")


def _until_more_are_accepted(sender: Sender, what: str) -> None:
    count = len(sender.accepted)
    until(lambda: len(sender.accepted) > count + 10, 30, what)


def test_while_the_database_is_unavailable_messages_wait_and_keep_their_own_arrival_times(
    site: Site, sender: Sender
) -> None:
    with sender:
        _until_more_are_accepted(sender, "a load")
        site.compose("stop", "influxdb")
        stopped_s = time.monotonic()
        until(lambda: bool(site.stats()["error"]), 15, "the page says so")
        count = len(sender.accepted)
        depth = awaited(
            lambda: site.stats()["queue_depth"], lambda known: known is not None, what="the depth"
        )
        until(lambda: (site.stats()["queue_depth"] or 0) > depth, 15, "the queue grows")
        until(lambda: len(sender.accepted) > count + 20, 15, "messages are accepted all the same")
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - stopped_s)))
        site.compose("start", "influxdb")
        until(lambda: site.stats()["error"] is None, 30, "the page is content again")
    assert_all_stored_once(site, sender)
    transmissions_ms = map(float, compose_stored.field(site.environment(), sender.run, "transmission_ms"))
    assert max(transmissions_ms) < AWAY_S * 1000 / 2, "arrival is when a message came, not when it was stored"
    until(lambda: site.stats()["run"]["missing"] == 0, 30, "the page is right again")


@pytest.mark.long
def test_a_down_under_load_keeps_what_was_accepted(site: Site, sender: Sender) -> None:
    with sender:
        _until_more_are_accepted(sender, "a load")
        done = site.start_sh("down")
        assert done.returncode == 0, done.stdout + done.stderr
    site.up()
    until(site.all_healthy, 60, "all healthy again")
    assert_all_stored_once(site, sender)
