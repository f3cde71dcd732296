"""``./start.sh load`` on the running system: what it says is what the database holds."""

import json
import os
import pty
import signal
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from launcher.configuration import CHECKOUT
from tests.support.launched import HEALS_S, Launched
from tests.support.tampering import InfluxTampering, SqliteTampering, Tampering
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system


def test_a_load_is_stored_once_and_the_report_says_so(system: Launched, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "load.json"), "--html", str(tmp_path / "load.html"))
    done = system.start_sh("load", "--rate", "100", "--for", "3", "--batch", "2", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""  # a progress bar is for terminals
    said = report(done.stdout)
    assert said["acknowledged"] == "300"
    assert [said[name] for name in ("lost", "duplicated", "recovered", "unexpected", "moved")] == ["0"] * 5
    assert said["verdict"].startswith("VALID")
    query = f"SELECT count(*), max(number) FROM message WHERE run = '{said['run']}'"
    assert system.rows(query) == [(300, 299)]
    found = json.loads((tmp_path / "load.json").read_text())
    assert (found["verdict"], found["acknowledged"], found["arrivals_compared"]) == ("VALID", 300, 150)
    assert said["run"] in (tmp_path / "load.html").read_text()


def test_a_terminal_is_shown_a_progress_bar(system: Launched) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    command = [str(CHECKOUT / "start.sh"), "load", "--rate", "50", "--for", "1"]
    subprocess.run(command, env=system.environ(), stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # an error is its end
        while more := terminal.read(65_536):
            shown += more
    assert b"50/50" in shown


@pytest.mark.parametrize("words", [("--rate", "0", "--for", "1"), ("--rate", "5"), ("--find-max",)])
def test_an_invalid_load_is_refused(system: Launched, words: tuple[str, ...]) -> None:
    done = system.start_sh("load", *words)
    assert done.returncode == 2
    assert "--" in done.stderr
    assert not done.stdout


def test_ctrl_c_ends_the_sending_and_the_report_covers_what_was_sent(system: Launched) -> None:
    before = SqliteTampering(system.home / "data" / "messages.db").runs()
    load = start(system, "--rate", "50", "--for", "600")
    run = new_run(SqliteTampering(system.home / "data" / "messages.db"), before)
    load.send_signal(signal.SIGINT)
    output, _ = load.communicate(timeout=60)
    said = report(output)
    assert load.returncode == 0, output
    assert said["run"] == run
    stopped = f"stopped after {said['acknowledged']} of 30,000 messages"
    assert said["verdict"].startswith(f"VALID  {stopped}; ")
    assert said["note"].startswith(stopped)
    (stored,) = system.rows(f"SELECT count(*) FROM message WHERE run = '{run}'")
    assert said["acknowledged"] == f"{stored[0]:,}"


def test_the_highest_rate_is_searched(system: Launched, tmp_path: Path) -> None:
    """Of a system that can do hardly anything within 3 ms, so the search goes down."""
    file = tmp_path / "found.json"
    words = ("--find-max", "--p99", "0.001", "--rate", "4", "--for", "0.5", "--json", str(file))
    done = system.start_sh("load", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())["find_max"]
    assert found["rate"] is None
    assert [step["rate"] for step in found["steps"]][:3] == [4, 2, 1]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("store", ["sqlite", pytest.param("influxdb", marks=pytest.mark.influx)])
def test_what_is_changed_by_hand_is_found_by_number(
    store: str, new_system: NewSystem, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    system, database = with_store(store, new_system, request)
    file = tmp_path / "found.json"
    load = start(system, "--rate", "50", "--for", "8", "--no-retry", "--timeout", "1", "--json", str(file))
    run = new_run(database, [])
    until(lambda: {10, 20} <= database.arrivals(run).keys(), 30)
    database.delete(run, 10)
    database.move(run, 20, by_ns=1_000_000)
    database.add(run, 7_777_777, time.time_ns())
    consumer = system.pids()["consumer"]
    os.kill(consumer, signal.SIGSTOP)
    time.sleep(1.5)  # longer than the time that the load waits for an answer
    os.kill(consumer, signal.SIGCONT)
    output, _ = load.communicate(timeout=120)
    found = json.loads(file.read_text())
    assert (load.returncode, found["verdict"]) == (1, "INVALID"), output
    assert found["numbers"]["lost"] == [[10, 10]]
    assert found["numbers"]["moved"] == [[20, 20]]
    assert found["numbers"]["unexpected"] == [[7_777_777, 7_777_777]]
    assert (found["lost"], found["moved"], found["unexpected"], found["duplicated"]) == (1, 1, 1, 0)
    assert found["failed_attempts"]["timeout"] > 0
    assert found["recovered"] > 0
    assert_agrees(found, database)


@pytest.mark.influx
def test_a_second_row_of_a_number_is_duplicated(
    new_system: NewSystem, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """InfluxDB can hold two; in SQLite the primary key forbids it."""
    system, database = with_store("influxdb", new_system, request)
    file = tmp_path / "found.json"
    load = start(system, "--rate", "50", "--for", "4", "--json", str(file))
    run = new_run(database, [])
    until(lambda: 10 in database.arrivals(run), 30)
    database.add(run, 10, time.time_ns())
    load.communicate(timeout=120)
    found = json.loads(file.read_text())
    assert (load.returncode, found["duplicated"], found["numbers"]["duplicated"]) == (1, 1, [[10, 10]])
    assert (found["lost"], found["moved"], found["unexpected"]) == (0, 0, 0)


def test_a_database_that_cannot_be_read_leaves_it_undecided(new_system: NewSystem) -> None:
    system = new_system(FIZZBUZZ_RATE="0")
    system.up()
    assert system.start_sh("load", "--rate", "5", "--for", "1").returncode == 0  # which makes the database
    database = system.home / "data" / "messages.db"
    database.rename(database.with_name("away.db"))
    database.mkdir()  # so that nobody makes a new one
    done = system.start_sh("load", "--rate", "20", "--for", "1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert report(done.stdout)["lost"] == "not known"
    assert "messages.db" in report(done.stdout)["verdict"]


@pytest.mark.timeout(400)
def test_kills_of_every_service_while_another_run_begins_leave_it_valid(
    new_system: NewSystem, tmp_path: Path
) -> None:
    system = new_system(FIZZBUZZ_RATE="1")
    system.up()
    file = tmp_path / "found.json"
    load = start(system, "--rate", "200", "--for", "60", "--json", str(file))
    database = SqliteTampering(system.home / "data" / "messages.db")
    new_run(database, [])
    services = [name for name in system.pids() if name not in {"supervisord", "guard"}]
    kills = 0
    while kills < 20 and load.poll() is None:
        name = services[kills % len(services)]
        pid = system.pids()[name]
        system.kill(pid)
        until(lambda name=name, pid=pid: system.pids().get(name) != pid, HEALS_S)  # type: ignore[misc]
        kills += 1
        time.sleep(0.5)  # some of the load, between two kills
    output, _ = load.communicate(timeout=200)
    found = json.loads(file.read_text())
    assert kills == 20, f"only {kills} kills in the time of the load"
    assert (load.returncode, found["verdict"]) == (0, "VALID"), output
    assert found["acknowledged"] == 12_000
    assert found["retries"] > 0
    assert_agrees(found, database)


def assert_agrees(found: dict[str, Any], database: Tampering) -> None:
    """The figures are those of a query of our own."""
    assert found["stored"] == len(database.arrivals(found["run"]))


def report(output: str) -> dict[str, str]:
    """The lines of a report by their first word."""
    return dict(line.split(maxsplit=1) for line in output.splitlines() if "  " in line)


def start(system: Launched, *words: str) -> "subprocess.Popen[str]":
    command = [str(CHECKOUT / "start.sh"), "load", *words]
    return subprocess.Popen(
        command, env=system.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def new_run(database: Tampering, before: list[str]) -> str:
    """The run of the load that was just started, once it has rows."""
    until(lambda: len(database.runs()) > len(before), 30)
    return next(run for run in database.runs() if run not in before)


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
