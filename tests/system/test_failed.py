"""``./start.sh failed`` on a running system, whose database refuses a message."""

import json
import sqlite3
from contextlib import closing

import pytest
import requests

from tests.support.launched import HEALS_S, Launched
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

RUN, SENT_AT = "refused", "2026-01-01T12:00:00.000000Z"
REFUSE = f"""
CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.run = '{RUN}' AND NEW.number > 0
BEGIN SELECT RAISE(ABORT, 'out of order'); END
"""


def execute(system: Launched, statement: str) -> None:
    with closing(sqlite3.connect(system.home / "data" / "messages.db", timeout=20)) as database:
        database.execute(statement)
        database.commit()


def post(system: Launched, number: int) -> None:
    url = f"http://127.0.0.1:{system.gateway_port}/messages"
    body = {"run": RUN, "number": number, "sent_at": SENT_AT}
    assert requests.post(url, json=body, timeout=10).status_code == 202


def failed(system: Launched) -> list[dict[str, object]]:
    jobs: list[dict[str, object]] = json.loads(system.start_sh("failed", "list", "--json").stdout)["failed"]
    return jobs


def test_failed_messages_are_listed_requeued_and_dropped(new_system: NewSystem) -> None:
    system = new_system("a home", FIZZBUZZ_RATE="0")
    system.up()
    done = system.start_sh("failed", REDIS_URL="redis://127.0.0.1:1/0")  # of this terminal, not of the system
    assert (done.returncode, done.stdout, done.stderr) == (0, "no failed messages\n", "")
    post(system, 0)
    until(lambda: system.stats()["highest_number"] == 0, HEALS_S)
    execute(system, REFUSE)
    post(system, 1)
    post(system, 2)
    until(lambda: len(failed(system)) == 2, HEALS_S)
    first, second = failed(system)
    assert first["first"] == [f"{RUN}:1"]
    assert "number 1: SQLite: out of order" in str(first["reason"])
    text = system.start_sh("failed").stdout
    assert f"1 message: {RUN}:2" in text
    assert text.endswith("2 jobs with 2 messages\n")
    assert system.start_sh("failed", "nonsense").returncode == 2
    assert system.start_sh("failed", "drop", str(second["job"])).returncode == 1  # nobody to ask
    assert system.start_sh("failed", "drop", "--yes", str(second["job"])).returncode == 0
    execute(system, "DROP TRIGGER refuse")
    assert system.start_sh("failed", "requeue", "--all").returncode == 0
    until(lambda: len(stored(system)) == 2, HEALS_S)
    assert stored(system) == [(0,), (1,)]
    assert system.start_sh("failed").stdout == "no failed messages\n"


def stored(system: Launched) -> list[tuple[int, ...]]:
    return system.rows(f"SELECT number FROM message WHERE run = '{RUN}' ORDER BY number")
