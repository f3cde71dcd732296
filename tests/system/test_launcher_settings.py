"""The settings that a system was started with hold until ``restart``, and a wrong one touches nothing."""

import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.launched import Launched
from tests.support.ports import free_port
from tests.support.waiting import Stopwatch
from tests.system.conftest import NewSystem, remove_leftovers

pytestmark = pytest.mark.system


def only_the_home(system: Launched) -> dict[str, str]:
    """The environment of another terminal: just the home is set, all else has other values or none."""
    changed = dict.fromkeys(system.settings, "")
    return {**changed, "FIZZBUZZ_HOME": str(system.home), "FIZZBUZZ_VENV": system.settings["FIZZBUZZ_VENV"]}


def test_load_in_another_terminal_reaches_the_running_system(system: Launched) -> None:
    elsewhere = {**only_the_home(system), "FIZZBUZZ_GATEWAY_PORT": str(free_port())}
    done = system.start_sh("load", "--rate", "50", "--for", "1", **elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert system.rows("SELECT count(*) FROM message WHERE run LIKE 'load-%'") == [(50,)]


def test_up_in_another_terminal_changes_nothing_and_says_what_differs(system: Launched) -> None:
    before = system.pids()
    done = system.start_sh("up", **{**only_the_home(system), "FIZZBUZZ_RATE": "3"})
    assert done.returncode == 0, done.stderr
    assert system.pids() == before
    assert "already running" in done.stdout
    assert f"FIZZBUZZ_WEB_PORT is {system.web_port} there and 5000 (default) here" in done.stdout
    assert "FIZZBUZZ_RATE is 1 (default) there and 3 here (set in the environment)" in done.stdout
    assert "./start.sh restart" in done.stdout
    assert f"http://127.0.0.1:{system.web_port}/fizzbuzz/" in done.stdout


def test_a_secret_that_differs_is_named_and_not_shown(system: Launched) -> None:
    done = system.start_sh("up", FIZZBUZZ_API_TOKEN="a-token-of-mine-123")
    assert "FIZZBUZZ_API_TOKEN differs" in done.stdout
    assert "a-token-of-mine-123" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["status", "logs", "up"])
def test_a_wrong_setting_touches_nothing(system: Launched, command: str) -> None:
    before = system.pids()
    done = system.start_sh(command, FIZZBUZZ_RATE="x", FIZZBUZZ_BIND="999.1.1.1")
    assert done.returncode == (2 if command == "up" else 0), done.stderr
    assert system.pids() == before


def test_restart_applies_what_differs_and_a_wrong_setting_stops_it_before_anything_is_touched(
    new_system: NewSystem,
) -> None:
    system = new_system()
    system.up()
    before = system.pids()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wrong = (
            ("FIZZBUZZ_BIND", "999.1.1.1"),
            ("FIZZBUZZ_BIND", "192.0.2.1"),
            ("FIZZBUZZ_GRPC_BIND", "192.0.2.1"),
            ("REDIS_URL", "redis://127.0.0.1:1/0"),
            ("FIZZBUZZ_SQLITE_PATH", "/dev/null/messages.db"),
            ("FIZZBUZZ_WEB_PORT", str(taken.getsockname()[1])),
        )
        for name, value in wrong:
            watch = Stopwatch()
            done = system.start_sh("restart", **{"FIZZBUZZ_OPEN": "1", name: value})
            assert watch.seconds < 5, name
            assert done.returncode != 0, name
            assert name in done.stderr
            assert done.stderr.count("\n") == 1, done.stderr
            assert system.pids() == before, name
    port = free_port()
    done = system.start_sh("restart", FIZZBUZZ_WEB_PORT=str(port), FIZZBUZZ_WORKERS="2")
    assert done.returncode == 0, done.stderr
    assert f"http://127.0.0.1:{port}/fizzbuzz/" in done.stdout
    assert {"worker-1", "worker-2"} <= system.status().keys()
    assert not set(system.pids().values()) & set(before.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("REDIS_URL", "unix:///dev/null/redis.sock"),
        ("FIZZBUZZ_SQLITE_PATH", "/dev/null/messages.db"),
        ("FIZZBUZZ_BIND", "999.1.1.1"),
        ("FIZZBUZZ_BIND", "192.0.2.1"),
    ],
)
def test_what_can_not_work_stops_a_start_within_5_s_with_one_line(
    new_system: NewSystem, name: str, value: str
) -> None:
    system = new_system()
    watch = Stopwatch()
    done = system.start_sh("up", "--mode", "local", **{name: value})
    assert watch.seconds < 5
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"start.sh: {name}")
    assert "set in the environment" in done.stderr or value in done.stderr
    assert done.stderr.count("\n") == 1
    assert system.processes() == {}


def test_a_file_that_is_no_database_is_refused(new_system: NewSystem, tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("no database wrote this " * 100)
    system = new_system()
    done = system.start_sh("up", "--mode", "local", FIZZBUZZ_SQLITE_PATH=str(other))
    assert done.returncode == 2
    assert "FIZZBUZZ_SQLITE_PATH (set in the environment)" in done.stderr
    assert other.read_text().startswith("no database wrote this")


@pytest.fixture(scope="module")
def silent() -> Iterator[Launched]:
    """Its producer sends nothing; its tests start it where it does not run."""
    root = Path(tempfile.mkdtemp(prefix="launched-"))
    system = Launched(root / "home", FIZZBUZZ_RATE="0")
    yield system
    remove_leftovers(root, system)


@pytest.mark.long
def test_the_notebook_of_a_system_that_sends_nothing_says_what_it_needs(silent: Launched) -> None:
    silent.up()
    done = silent.start_sh("notebook", "--run")
    assert done.returncode == 1
    assert "FIZZBUZZ_RATE=0" in done.stderr
    assert done.stderr.count("\n") == 1


def test_down_stops_it_whatever_is_set_now(silent: Launched) -> None:
    silent.up()
    (silent.home / ".env").write_bytes(b"\xff\xfe no settings\n")
    done = silent.start_sh("down", FIZZBUZZ_RATE="x", FIZZBUZZ_WEB_PORT="abc")
    assert done.returncode == 0, done.stderr
    assert silent.processes() == {}


def test_down_works_where_the_environment_is_broken(new_system: NewSystem, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    venv.symlink_to(new_system().settings["FIZZBUZZ_VENV"])
    system = new_system(FIZZBUZZ_VENV=str(venv))
    system.up()
    venv.unlink()
    watch = Stopwatch()
    system.down()
    assert watch.seconds < 10
    assert system.processes() == {}


@pytest.mark.long
def test_code_that_was_changed_is_named_and_nothing_is_restarted(
    new_system: NewSystem, changed_checkout: Path
) -> None:
    system = new_system(checkout=changed_checkout)
    system.up()
    before = system.pids()
    assert "changed since the start" not in system.up().stdout
    (changed_checkout / "gateway" / "new.py").write_text('"""New."""\n')
    with (changed_checkout / "requirements" / "run.txt").open("a") as lock:
        lock.write("# changed\n")
    output = system.up().stdout
    assert "the code was changed since the start" in output
    assert "requirements/run.txt was changed since the start" in output
    assert "./start.sh restart" in output
    assert system.pids() == before
    done = system.start_sh("restart")
    assert done.returncode == 0, done.stderr
    assert "changed since the start" not in system.up().stdout


@pytest.fixture
def changed_checkout(tmp_path: Path) -> Path:
    from tests.support import checkout  # one test alone needs it

    return checkout.copy_to(tmp_path / "copy")


def test_nothing_runs_and_that_is_said_at_once(new_system: NewSystem) -> None:
    system = new_system()
    for words in (["load", "--rate", "1", "--for", "1"], ["notebook", "--run"]):
        done = system.start_sh(*words)
        assert done.returncode == 1
        assert done.stderr == "start.sh: the system isn't running: start it with ./start.sh up\n"


def test_a_byte_order_mark_is_no_harm_and_errors_say_where_a_value_is_set(
    new_system: NewSystem,
) -> None:
    system = new_system()
    system.home.mkdir(parents=True)
    lines = ("FIZZBUZZ_RATE=often", "FIZZBUZ_BURST=2", "FIZZBUZZ_WORKRS=2", "FIZZBUZZ_HOME=")
    (system.home / ".env").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    done = system.start_sh("up", "--mode", "local")
    assert done.returncode == 2
    assert f"FIZZBUZZ_RATE=often (set in {system.home}/.env)" in done.stderr
    for typo, meant in (("FIZZBUZZ_WORKRS", "FIZZBUZZ_WORKERS"), ("FIZZBUZ_BURST", "FIZZBUZZ_BURST")):
        warning = f"{typo} (set in {system.home}/.env) is not a setting; did you mean {meant}?"
        assert warning in done.stderr


def test_status_of_a_running_system_is_one_json_object_with_process_ids(system: Launched) -> None:
    done = system.status_once(_is_well, "--json", what="all are healthy and counted, and nothing is wrong")
    output = json.loads(done.stdout)
    assert output["mode"] == "local"
    assert output["healthy"] is True
    assert output["ledger"]["accepted"] >= output["ledger"]["stored"] > 0
    assert output["conditions"] == []
    pids = system.pids()
    for one in output["services"]:
        assert one["pid"] == pids[one["name"]]
        assert (one["state"], one["reason"]) == ("healthy", "")
        assert one["since"].startswith("20")
    redis = next(one for one in output["services"] if one["name"] == "redis")
    assert "redis-server" in redis["note"]


def _is_well(done: "subprocess.CompletedProcess[str]") -> bool:
    """On a busy machine the page may have no figures at a moment, or name what is late."""
    found = json.loads(done.stdout)
    counted = found["ledger"] and None not in (found["ledger"]["accepted"], found["ledger"]["stored"])
    return bool(done.returncode == 0 and counted and found["conditions"] == [])
