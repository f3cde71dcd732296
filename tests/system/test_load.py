"""``./start.sh load`` on the running system: what it says is what the database holds."""

import pytest

from tests.launched import Launched

pytestmark = pytest.mark.system


def test_a_load_is_stored_once_and_the_report_says_so(system: Launched) -> None:
    done = system.start_sh("load", "--rate", "100", "--for", "3", "--batch", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if "  " in line)
    assert said["acknowledged"] == "300"
    assert (said["lost"], said["duplicated"]) == ("0", "0")
    query = f"SELECT count(*), max(number) FROM message WHERE run = '{said['run']}'"
    assert system.rows(query) == [(300, 299)]


def test_a_load_without_sense_is_refused(system: Launched) -> None:
    done = system.start_sh("load", "--rate", "0", "--for", "1")
    assert done.returncode == 2
    assert "--rate" in done.stderr
