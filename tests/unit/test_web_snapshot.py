"""A snapshot as JSON: the keys of the contract, always."""

import json
from dataclasses import replace

import pytest

from pipeline.message import ClockOffset
from pipeline.store import Totals, Window
from tests.support.batches import NOON_NS
from tests.support.snapshots import QUEUE, snapshot
from web.broadcaster import encode
from web.event_log import Event
from web.snapshot import STALE_MS, detail, stats

KEYS = {
    "at", "highest_number", "average_transmission_ms", "window_s", "window_count", "p50_ms", "p95_ms",
    "p99_ms", "max_ms", "stored_total", "run", "hops_ms", "last_arrival_at", "queue_depth", "store", "error",
}  # fmt: skip
RUN_KEYS = {"id", "highest_number", "stored", "missing", "first_arrival_at"}
HOP_KEYS = {"gateway", "consumer", "queue", "store"}

NEVER_READ = snapshot(totals=None, window=None, queue=None, error="The database can't be read: gone")
EMPTY = snapshot(totals=Totals(0, None, None, ()))


def test_every_key_is_there_whatever_there_is_to_say() -> None:
    for each in (snapshot(), NEVER_READ, EMPTY):
        data = stats(each)
        assert (set(data), set(data["run"]), set(data["hops_ms"])) == (KEYS, RUN_KEYS, HOP_KEYS)


def test_values_are_those_of_the_snapshot_rounded_to_a_microsecond() -> None:
    assert stats(snapshot()) == {
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


def test_while_the_database_is_unavailable_totals_stay_and_the_window_is_unknown() -> None:
    data = stats(snapshot(window=None, error="The database can't be read: gone"))
    assert (data["highest_number"], data["stored_total"]) == (129, 128)
    assert data["average_transmission_ms"] is data["window_count"] is data["p99_ms"] is None
    assert data["error"] == "The database can't be read: gone"


def test_missing_is_exact_in_stats_and_only_what_lasts_is_called_lost() -> None:
    assert stats(snapshot())["run"]["missing"] == 2
    assert detail(snapshot())["runs"][0]["lost"] == "0"
    assert detail(snapshot(losses={"run-1": 2}))["runs"][0]["lost"] == "2"


def test_duplicates_are_unknown_while_redis_is_unreachable() -> None:
    assert detail(snapshot())["runs"][0]["duplicates"] == "2"
    assert detail(snapshot(queue=None))["runs"][0]["duplicates"] == "–"
    assert stats(snapshot(queue=None))["queue_depth"] is None


def test_events_are_listed_newest_first() -> None:
    events = (
        Event(NOON_NS, "service", "worker-1 started"),
        Event(NOON_NS + 10**9, "service", "worker-1 restarted"),
    )
    assert [event["text"] for event in detail(snapshot(events=events))["events"]] == [
        "worker-1 restarted",
        "worker-1 started",
    ]


def test_json_is_one_line_whatever_a_text_holds() -> None:
    data = encode(stats(snapshot(error="two\nlines")))
    assert b"\n" not in data
    assert json.loads(data)["error"] == "two\nlines"


def test_negative_times_are_not_clipped() -> None:
    negative = stats(snapshot(window=Window(1, -12.5, -12.5, -12.5, -12.5, -12.5)))
    assert negative["average_transmission_ms"] == negative["max_ms"] == -12.5


def test_the_state_says_what_is_wrong_most_serious_first() -> None:
    wrong = detail(snapshot(error="The database can't be read: gone", queue=None, losses={"run-1": 3}))
    assert wrong["states"] == [
        {
            "level": "bad",
            "text": "The database can't be read: gone. Totals are the last known ones. "
            "Redis unreachable. Missing in run run-1: 3.",
            "at": None,
            "after_ms": 0,
        }
    ]


def test_the_state_is_live_until_nothing_has_arrived_for_a_while() -> None:
    quiet, live = detail(snapshot(at_ns=NOON_NS + 10**9))["states"]
    assert (live["level"], live["text"], live["after_ms"]) == ("fine", "Live", 0)
    assert quiet == {
        "level": "quiet",
        "text": "No message has arrived since {time}.",
        "at": "2026-01-01T12:00:00.000000Z",
        "after_ms": STALE_MS - 999,
    }
    assert detail(snapshot(at_ns=NOON_NS + 10**10))["states"][0]["after_ms"] == 0
    assert detail(EMPTY)["states"][0]["text"] == "No message has arrived yet."


@pytest.mark.parametrize(
    "window", [Window(1, hops_ms=(-1.0, 3.0, 1.0, 1.0)), Window(1, histogram=(1, *[0] * 16))]
)
def test_the_state_says_that_times_are_negative(window: Window) -> None:
    assert "the clocks of two services differ" in detail(snapshot(window=window))["states"][-1]["text"]


def test_the_texts_of_the_page_are_ready() -> None:
    shown = detail(snapshot())
    assert shown["texts"] == {
        "average": "3.21",
        "average-unit": "ms",
        "p50": "3.00",
        "p95": "4.00",
        "p99": "5.00",
        "max": "5.00",
        "hop-gateway": "1.00",
        "hop-consumer": "2.21",
        "hop-queue": "7.00",
        "hop-store": "–",
        "run-id": "run-1",
        "run-highest": "129",
        "run-stored": "128",
        "run-missing": "0",
        "window-count": "3",
        "stored-total": "128",
        "queue-depth": "4",
        "clock-difference": "The clock difference is not known.",
        "histogram-note": "ms; labels are upper limits",
    }
    assert shown["highest"] == ["129"]
    assert shown["point"] == (NOON_NS // 10**6, 3.212, 5.0, "3.21", "5.00")


def test_the_clock_difference_is_that_of_the_newest_run_that_reported_one() -> None:
    queue = replace(QUEUE, clock_offsets={"run-1": ClockOffset("run-1", 3_000_000, 1_000_000)})
    assert "3.00 ± 1.00 ms" in detail(snapshot(queue=queue))["texts"]["clock-difference"]
