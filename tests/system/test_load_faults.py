"""Faults while ``./start.sh load`` runs: its report finds what was changed by hand, and nothing else."""

import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.launched import HEALS_S, Launched
from tests.support.started_load import LONG, end, new_run, start
from tests.support.tampering import InfluxTampering, SqliteTampering, Tampering
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

KILLS = 20


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("influxdb", marks=[pytest.mark.influx, pytest.mark.long])]
)
def test_what_is_changed_by_hand_is_found_by_number(
    store: str, new_system: NewSystem, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    system, database = with_store(store, new_system, request)
    file = tmp_path / "found.json"
    load = start(system, "--rate", "50", *LONG, "--no-retry", "--timeout", "1", "--json", str(file))
    run = new_run(database, [])
    until(lambda: {10, 20} <= database.arrivals(run).keys(), 30)
    database.delete(run, 10)
    database.move(run, 20, by_ns=1_000_000)
    database.add(run, 7_777_777, time.time_ns())
    consumer = system.pids()["consumer"]
    os.kill(consumer, signal.SIGSTOP)
    time.sleep(1.5)  # longer than the time that the load waits for an answer
    os.kill(consumer, signal.SIGCONT)
    time.sleep(1.5)  # some of the load after it
    output = end(load)
    found = json.loads(file.read_text())
    assert (load.returncode, found["verdict"]) == (1, "INVALID"), output
    assert found["numbers"]["lost"] == [[10, 10]]
    assert found["numbers"]["moved"] == [[20, 20]]
    assert found["numbers"]["unexpected"] == [[7_777_777, 7_777_777]]
    assert (found["lost"], found["moved"], found["unexpected"], found["duplicated"]) == (1, 1, 1, 0)
    assert found["failed_attempts"]["timeout"] > 0
    assert found["recovered"] > 0
    assert_agrees(found, database)


@pytest.mark.long
@pytest.mark.influx
def test_a_second_row_of_a_number_is_duplicated(
    new_system: NewSystem, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """InfluxDB can hold two; in SQLite the primary key forbids it."""
    system, database = with_store("influxdb", new_system, request)
    file = tmp_path / "found.json"
    load = start(system, "--rate", "50", *LONG, "--json", str(file))
    run = new_run(database, [])
    until(lambda: 10 in database.arrivals(run), 30)
    database.add(run, 10, time.time_ns())
    end(load)
    found = json.loads(file.read_text())
    assert (load.returncode, found["duplicated"], found["numbers"]["duplicated"]) == (1, 1, [[10, 10]])
    assert (found["lost"], found["moved"], found["unexpected"]) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_kills_of_every_service_while_another_run_begins_leave_it_valid(
    new_system: NewSystem, tmp_path: Path
) -> None:
    system = new_system(FIZZBUZZ_RATE="1")
    system.up()
    file = tmp_path / "found.json"
    load = start(system, "--rate", "200", *LONG, "--json", str(file))
    database = SqliteTampering(system.home / "data" / "messages.db")
    new_run(database, [])
    services = [name for name in system.pids() if name not in {"supervisord", "guard"}]
    killed = [name for name, _ in zip(itertools.cycle(services), range(KILLS), strict=False)]
    assert set(killed) == set(services)
    for name in killed:
        pid = system.pids()[name]
        system.kill(pid)
        until(lambda name=name, pid=pid: system.pids().get(name) not in (None, pid), HEALS_S)  # type: ignore[misc]
        time.sleep(0.5)  # some of the load, between two kills
    until(system.is_well, HEALS_S)
    time.sleep(2)  # what was refused meanwhile is sent again and accepted
    output = end(load)
    found = json.loads(file.read_text())
    assert (load.returncode, found["verdict"]) == (0, "VALID"), output
    assert found["lost"] == 0
    assert found["acknowledged"] <= found["stored"] <= found["sent"]
    assert found["acknowledged"] > 0.9 * found["sent"]  # all but those that it did not send again at its end
    assert found["sent"] > KILLS * 100  # 200 a second, half a second or more for each kill
    assert found["retries"] > 0
    assert_agrees(found, database)


def assert_agrees(found: dict[str, Any], database: Tampering) -> None:
    """The figures are those of a query of our own."""
    assert found["stored"] == len(database.arrivals(found["run"]))


def with_store(
    store: str, new_system: NewSystem, request: pytest.FixtureRequest
) -> tuple[Launched, Tampering]:
    if store == "sqlite":
        system = new_system()
        system.up()
        return system, SqliteTampering(system.home / "data" / "messages.db")
    bucket = request.getfixturevalue("influx_server").new_bucket()
    system = new_system(
        FIZZBUZZ_STORE="influxdb",
        INFLUXDB_URL=bucket.url,
        INFLUXDB_TOKEN=bucket.token,
        INFLUXDB_ORG=bucket.org,
        INFLUXDB_BUCKET=bucket.bucket,
    )
    system.up()
    return system, InfluxTampering(bucket)
