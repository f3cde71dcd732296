"""``./start.sh load`` on the running system: what it says is what the database holds."""

import json
import os
import pty
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from launcher.configuration import CHECKOUT
from tests.support.launched import Launched
from tests.support.started_load import LONG, end, new_run, start
from tests.support.tampering import SqliteTampering
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
    load = start(system, "--rate", "50", *LONG)
    run = new_run(SqliteTampering(system.home / "data" / "messages.db"), before)
    output = end(load)
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


@pytest.mark.long
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


def report(output: str) -> dict[str, str]:
    """The lines of a report by their first word."""
    return dict(line.split(maxsplit=1) for line in output.splitlines() if "  " in line)
