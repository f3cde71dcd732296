"""Starting, stopping, and being one of several."""

import json
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from launcher.configuration import CHECKOUT
from pipeline.clock import to_rfc3339
from tests.support.launched import HEALS_S, Launched
from tests.support.ports import listens
from tests.support.processes import interruptible
from tests.support.sender import Sender
from tests.support.stored_at_a_stop import WAITS, assert_stored_once
from tests.support.waiting import Stopwatch, until
from tests.system.conftest import NewSystem, remove_leftovers

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def kept() -> Iterator[Launched]:
    """A system that tests share; each starts it where the one before has not."""
    root = Path(tempfile.mkdtemp(prefix="launched-"))
    system = Launched(root / "home")
    yield system
    remove_leftovers(root, system)


def test_down_leaves_no_process_and_no_port_and_up_goes_on_with_the_data(kept: Launched) -> None:
    kept.up()
    kept.down()
    assert kept.processes() == {}
    assert list((kept.home / "run").glob("*.lock")) == []  # nothing was started again at the last moment
    assert not any(listens(port) for port in kept.ports())
    assert kept.start_sh("status").returncode == 1
    stored = kept.rows("select count(*) from message")[0][0]
    assert stored >= 1
    kept.up()
    assert kept.stats()["stored_total"] > stored


def test_down_stores_what_was_accepted_within_10_s(kept: Launched) -> None:
    kept.up()
    with Sender(kept.gateway_port, "to-the-last") as sender:
        until(lambda: len(sender.accepted) >= 500, 20)
        watch = Stopwatch()
        done = kept.down()
        took_s = watch.seconds
    assert took_s <= 10
    assert_stored_once(kept, sender, done)


def test_what_waits_at_a_down_beside_a_database_that_is_held_is_stored_after_the_next_up(
    kept: Launched,
) -> None:
    kept.up()
    url = f"http://127.0.0.1:{kept.gateway_port}/messages"
    answered = {}
    with closing(sqlite3.connect(kept.home / "data" / "messages.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        for number in range(30):
            body = {"run": "waits", "number": number, "sent_at": "2026-01-01T00:00:00Z"}
            answer = requests.post(url, json=body, timeout=10)
            assert answer.status_code == 202
            answered[number] = answer.json()["arrived_at"]
        assert WAITS in kept.down().stdout
    kept.up()

    def stored() -> dict[int, str]:
        rows = kept.rows("SELECT number, arrived_ns FROM message WHERE run = 'waits'")
        return {number: to_rfc3339(arrived_ns) for number, arrived_ns in rows}

    until(lambda: stored() == answered, HEALS_S, "they are not all stored, each with its arrival")


def test_following_the_logs_ends_with_down(kept: Launched) -> None:
    kept.up()
    command = [str(CHECKOUT / "start.sh"), "logs", "-f"]
    with subprocess.Popen(command, env=kept.environ(), stdout=subprocess.PIPE, text=True) as follower:
        late = threading.Timer(60, follower.kill)
        late.start()
        assert follower.stdout
        assert json.loads(follower.stdout.readline())
        began = datetime.now(UTC)
        kept.down()
        lines = [json.loads(line) for line in follower.stdout]
        late.cancel()
    assert follower.returncode == 0
    # Of any part: on a busy machine a worker may be killed before it has said so.
    stopped = [line["time"] for line in lines if line["message"].startswith("stopped")]
    assert datetime.fromisoformat(stopped[-1]) > began


def test_two_ups_at_once_make_one_system(kept: Launched) -> None:
    kept.down()
    command = [str(CHECKOUT / "start.sh"), "up", "--mode", "local"]
    started = [
        subprocess.Popen(command, env=kept.environ(), stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=100)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sum("already running" in text for text in outputs) == 1
    assert sum("supervisord" in command for command in kept.processes().values()) == 1


def test_supervisor_starts_the_services_without_waiting_for_its_first_turn_to_end(kept: Launched) -> None:
    waited_s: list[float] = []
    kept.up()
    while not waited_s or min(waited_s) > 0.9:  # its turn takes 1 s; a busy machine has several tries
        assert len(waited_s) < 4, waited_s
        if waited_s:
            kept.down()
            kept.up()
        lines = (kept.home / "logs" / "supervisord.log").read_text().splitlines()
        begun = max(index for index, line in enumerate(lines) if "supervisord started" in line)
        spawned = next(line for line in lines[begun:] if "spawned" in line)
        waited_s.append(_moment(spawned) - _moment(lines[begun]))


@pytest.mark.long
def test_two_systems_side_by_side_never_touch_each_other(kept: Launched, new_system: NewSystem) -> None:
    one, other = new_system(), kept
    one.up()
    other.up()
    before = other.pids()
    assert not one.processes().keys() & other.processes().keys()
    one.down("--wipe")
    assert other.pids() == before
    other.until_healthy()
    assert one.processes() == {}


def test_wipe_deletes_the_data_and_nothing_else(kept: Launched) -> None:
    kept.up()
    others = [kept.home / name for name in ("mine.txt", "data/mine.txt", "logs/mine.log", "run/mine.txt")]
    for path in others:
        path.write_text("mine")
    kept.down("--wipe")
    assert all(path.exists() for path in others)
    left = {str(path.relative_to(kept.home)) for path in kept.home.rglob("*") if path.is_file()}
    assert left == {".env", "lock", *(str(path.relative_to(kept.home)) for path in others)}


@pytest.mark.long
def test_a_home_with_a_long_name_works_although_sockets_may_not_have_one(new_system: NewSystem) -> None:
    system = new_system(folder=f"{'long ' * 30}/of it")
    system.up()
    system.until_healthy()
    system.down()
    assert system.processes() == {}


def test_a_taken_port_is_named_in_one_line_and_nothing_is_started(new_system: NewSystem) -> None:
    system = new_system()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = system.start_sh("up", "--mode", "local", FIZZBUZZ_GATEWAY_PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"start.sh: port {port} is taken by another program: end that, or set FIZZBUZZ_GATEWAY_PORT to a free"
        " port\n"
    )
    assert system.processes() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIZZBUZZ_WEB_PORT", "abc"),
        ("FIZZBUZZ_WORKERS", "0"),
        ("REDIS_URL", "nonsense"),
        ("FIZZBUZZ_RATE", "x"),
    ],
)
def test_a_setting_without_sense_is_named_in_one_line(new_system: NewSystem, name: str, value: str) -> None:
    system = new_system()
    done = system.start_sh("up", "--mode", "local", **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"start.sh: {name}")
    assert done.stderr.count("\n") == 1
    assert not system.home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_up_that_is_interrupted_leaves_nothing(new_system: NewSystem, number: signal.Signals) -> None:
    system = new_system()
    command = [str(CHECKOUT / "start.sh"), "up", "--mode", "local"]
    with interruptible():
        started = subprocess.Popen(command, env=system.environ(), stdout=subprocess.PIPE, text=True)
    with started as process:
        assert process.stdout
        while "starting" not in process.stdout.readline():
            pass
        until(lambda: "supervisord" in system.pids(), what="nothing is started")
        process.send_signal(number)
        process.wait(20)
    # A shell says 130 of both: CPython ends by SIGINT where it was interrupted in exec(), as of a dataclass.
    assert process.returncode in (130, -signal.SIGINT)
    until(lambda: system.processes() == {}, 2)


@pytest.mark.long
def test_an_up_after_a_stop_that_was_killed_does_not_say_that_all_is_well(new_system: NewSystem) -> None:
    system = new_system()
    system.up()
    (system.home / "run" / "stopping").touch()
    done = system.start_sh("up")
    assert (done.returncode, done.stdout) == (1, "")
    assert "a stop of it was interrupted: ./start.sh restart starts all of it" in done.stderr
    assert system.start_sh("restart").returncode == 0
    until(system.is_well, 30)


def _moment(line: str) -> float:
    """When Supervisor wrote it."""
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007 - differences alone
