"""A reading as JSON: the keys of the contract, always."""

import json

from pipeline.store import Totals, Window
from tests.batches import NOON_NS
from tests.readings import reading
from web.detail import detail
from web.journal import Line
from web.live import encode
from web.stats import stats

KEYS = {
    "at", "highest_number", "average_transmission_ms", "window_s", "window_count", "p50_ms", "p95_ms",
    "p99_ms", "max_ms", "stored_total", "run", "hops_ms", "last_arrival_at", "queue_depth", "store", "error",
}  # fmt: skip
RUN_KEYS = {"id", "highest_number", "stored", "missing", "first_arrival_at"}
HOP_KEYS = {"gateway", "consumer", "queue", "store"}

NEVER_READ = reading(totals=None, window=None, queue=None, error="The database can't be read: gone")
EMPTY = reading(totals=Totals(0, None, None, ()))


def test_every_key_is_there_whatever_there_is_to_say() -> None:
    for each in (reading(), NEVER_READ, EMPTY):
        data = stats(each)
        assert (set(data), set(data["run"]), set(data["hops_ms"])) == (KEYS, RUN_KEYS, HOP_KEYS)


def test_figures_are_those_of_the_reading_rounded_to_a_microsecond() -> None:
    assert stats(reading()) == {
        "at": "2026-01-01T12:00:00.000Z",
        "highest_number": 129,
        "average_transmission_ms": 3.212,
        "window_s": 10,
        "window_count": 3,
        "p50_ms": 3.0,
        "p95_ms": 4.0,
        "p99_ms": 5.0,
        "max_ms": 5.0,
        "stored_total": 128,
        "run": {
            "id": "run-1",
            "highest_number": 129,
            "stored": 128,
            "missing": 2,
            "first_arrival_at": "2026-01-01T12:00:00.000000Z",
        },
        "hops_ms": {"gateway": 1.0, "consumer": 2.212, "queue": 7.0, "store": None},
        "last_arrival_at": "2026-01-01T12:00:00.000000Z",
        "queue_depth": 4,
        "store": "sqlite",
        "error": None,
    }


def test_an_empty_database_holds_nothing_and_that_is_no_error() -> None:
    data = stats(EMPTY)
    assert (data["stored_total"], data["highest_number"], data["error"]) == (0, None, None)


def test_while_the_database_is_away_totals_stay_and_the_window_is_unknown() -> None:
    data = stats(reading(window=None, error="The database can't be read: gone"))
    assert (data["highest_number"], data["stored_total"]) == (129, 128)
    assert data["average_transmission_ms"] is data["window_count"] is data["p99_ms"] is None
    assert data["error"] == "The database can't be read: gone"


def test_missing_is_exact_in_the_figures_and_only_what_lasts_is_called_lost() -> None:
    assert stats(reading())["run"]["missing"] == 2
    assert detail(reading())["runs"][0]["lost"] == 0
    assert detail(reading(losses={"run-1": 2}))["runs"][0]["lost"] == 2


def test_duplicates_are_unknown_while_the_queue_is_away() -> None:
    assert detail(reading())["runs"][0]["duplicates"] == 2
    assert detail(reading(queue=None))["runs"][0]["duplicates"] is None
    assert stats(reading(queue=None))["queue_depth"] is None


def test_the_journal_is_told_newest_first() -> None:
    lines = (Line(NOON_NS, "part", "worker-1 started"), Line(NOON_NS + 10**9, "part", "worker-1 restarted"))
    assert [line["text"] for line in detail(reading(journal=lines))["journal"]] == [
        "worker-1 restarted",
        "worker-1 started",
    ]


def test_json_is_one_line_whatever_a_text_holds() -> None:
    data = encode(stats(reading(error="two\nlines")))
    assert b"\n" not in data
    assert json.loads(data)["error"] == "two\nlines"


def test_negative_times_are_told_as_they_are() -> None:
    negative = stats(reading(window=Window(1, -12.5, -12.5, -12.5, -12.5, -12.5)))
    assert negative["average_transmission_ms"] == negative["max_ms"] == -12.5
