"""How the benchmark of other queues counts, chooses and shows; it is run in ``tests/system``."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import wrk
from bench.rivals import catalogue, choice, database, table
from bench.rivals.limits import SHORT, Limits
from bench.rivals.loss import faults, judge
from bench.rivals.rival import Rival
from bench.rivals.rival_site import RivalSite, SetUp
from load.ledger import Ledger
from load.verdict import check

ROW = ["run", 7, 1, 2, 3]


def ledger(count: int) -> Ledger:
    """Messages that were all acknowledged."""
    made = Ledger()
    for number in range(count):
        made.sent(number)
        made.acknowledged(number)
    return made


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_message_that_is_stored_twice_is_one_row_and_two_executions(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    database.create(path)
    database.count_executions(path)
    writer = database.Writer(path)
    writer.store(ROW)
    writer.store(ROW)
    assert rows(path, "SELECT run, number, sent_ns, arrived_ns, gateway_ns FROM message") == [tuple(ROW)]
    assert rows(path, "SELECT run, number FROM execution") == [("run", 7), ("run", 7)]


def test_each_commit_of_a_task_is_synced_as_the_store_does_it(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    database.create(path)
    with closing(database.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_not_stored_is_lost_but_for_what_the_queue_still_holds() -> None:
    stored = [(number, 0) for number in range(6)]
    judged = judge(check(ledger(10), stored), attempts=6, waiting=1, settled=True, after_s=3.0)
    assert (judged.acknowledged, judged.lost, judged.waiting) == (10, 3, 1)


def test_more_that_waits_than_is_missing_hides_no_loss_below_zero() -> None:
    stored = [(number, 0) for number in range(9)]
    judged = judge(check(ledger(10), stored), attempts=9, waiting=5, settled=False, after_s=3.0)
    assert (judged.lost, judged.waiting) == (0, 1)


def test_attempts_beyond_the_stored_numbers_were_done_twice() -> None:
    stored = [(number, 0) for number in range(10)]
    judged = judge(check(ledger(10), stored), attempts=13, waiting=0, settled=True, after_s=3.0)
    assert (judged.executed_again, judged.rows_twice) == (3, 0)


def test_worker_and_redis_are_killed_in_the_order_of_time() -> None:
    planned = faults(Limits(worker_kills_s=(5.0, 24.0), redis_kills_s=(18.0,)))
    assert planned == [(5.0, "worker"), (18.0, "redis"), (24.0, "worker")]


def test_three_workers_and_one_redis_are_killed_before_the_load_ends() -> None:
    limits = Limits()
    assert [what for _, what in faults(limits)].count("worker") == 3
    assert [what for _, what in faults(limits)].count("redis") == 1
    assert max(at_s for at_s, _ in faults(limits)) < limits.loss_s


def test_refused_requests_of_wrk_are_not_accepted() -> None:
    line = '{"requests":120,"duration_us":2000000,"refused":20,"failed":3,"p50_ms":2.5,"p99_ms":4.5}'
    flood = wrk.parse(f"Running 2s test\nRESULT {line}\n")
    assert (flood.accepted, flood.rate, flood.refused, flood.failed) == (100, 50.0, 20, 3)


RIVAL = Rival(
    name="Some queue",
    packages=("some",),
    docs=("https://example.org",),
    settings="careful",
    workers={"slow": [], "fast": []},
    enqueue=lambda arrival: None,
    waiting=lambda redis: 0,
    recovery_s=1,
)


class Tried(choice.Choice):
    """Best with gthread, two processes, 64 threads and the fast worker."""

    def _try(self, set_up: SetUp, drain_s: float) -> dict[str, Any]:
        accepted = (set_up.server == "gthread") * 100 + set_up.processes * 10 + set_up.threads / 64
        return {"accepted_per_s": accepted, "stored_per_s": float(set_up.workers == "fast")}


def no_site(set_up: SetUp, folder: Path) -> RivalSite:
    raise AssertionError


def test_a_rival_is_run_in_the_way_that_is_best_for_it() -> None:
    tries = Tried(no_site, SHORT)
    assert tries.choose(RIVAL) == SetUp("gthread", 64, 2, "fast")
    assert len(tries.tried) == 4 + 2 + 2  # front ends, threads, workers


def site(**parts: Any) -> dict[str, Any]:
    flood = {"accepted_per_s": 1234.5, "stored_per_s": 456.7, "all_stored": True}
    return {
        "name": "Some queue",
        "versions": {"some": "1.2"},
        "appendfsync": "always",
        "settings": "careful",
        "docs": ["https://example.org"],
        "set_up": "1 process",
        "wrk_64": flood,
        "wrk_16": {**flood, "accepted_per_s": 900.0},
        "latency": {"p99_ms": 12.34, "planned": 5_000, "acknowledged": 5_000},
        "loss": {
            "lost": 4,
            "acknowledged": 6_000,
            "waiting": 0,
            "executed_again": 2,
            "memory_mb": {"total": 150.4},
        },
        **parts,
    }


def shown(*sites: dict[str, Any]) -> str:
    return "\n".join(table.lines({"limits": {"rate": 500.0}, "sites": list(sites)}))


def test_the_table_has_all_figures_of_a_site() -> None:
    row = "| Some queue 1.2 | always | 1,234 | 900 | 457 | 12.3 ms | 150 MB | 4 of 6,000 | 2 |"
    text = shown(site())
    assert row in text
    assert "p99 at 500/s" in text
    assert "- Some queue (some 1.2): careful. Run with: 1 process. https://example.org" in text


def test_the_table_says_what_was_not_stored_or_accepted_in_time() -> None:
    flood = {"accepted_per_s": 10.0, "stored_per_s": 5.0, "all_stored": False}
    latency = {"p99_ms": 1.0, "planned": 10, "acknowledged": 7}
    loss = {**site()["loss"], "waiting": 3}
    text = shown(site(wrk_64=flood, latency=latency, loss=loss))
    assert "| 5, not all in time | 1.0 ms, 3 not accepted |" in text
    assert "| 4 of 6,000, 3 still waiting |" in text


def test_what_failed_is_in_the_table_and_does_not_hide_the_rest() -> None:
    text = shown(site(loss={"error": "TimeoutError: late"}), {**site(), "error": "does not start"})
    assert "| 12.3 ms | – | – | – |" in text
    assert "- Some queue, always: loss failed: TimeoutError: late" in text
    assert "| failed: does not start |" in text


def test_a_result_is_json() -> None:
    assert json.loads(json.dumps(site()))["loss"]["lost"] == 4


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_rival_names_the_pages_that_its_settings_come_from(name: str) -> None:
    folder = Path(catalogue.__file__).parent
    text = (folder / f"with_{name}.py").read_text() + (folder / "celery_app.py").read_text()
    assert "RIVAL = Rival(" in text
    assert "https://" in text
