"""A snapshot as JSON: the keys of the contract, always."""

import json
from dataclasses import replace
from typing import Any

from pipeline.message import ClockOffset
from pipeline.queue.failed_jobs import FailedSummary
from pipeline.store import RunFigures, Totals, Window
from tests.support.batches import NOON_NS
from tests.support.snapshots import QUEUE, RUN, WINDOW, entry, snapshot
from web import detail as web_detail
from web.conditions import Condition
from web.event_log import Event
from web.ledger import UNKNOWN, Balance
from web.moments import token
from web.run_summary import summarize
from web.snapshot import Snapshot, stats
from web.stream_event import encode

KEYS = {
    "at", "highest_number", "average_transmission_ms", "window_s", "window_count", "p50_ms", "p95_ms",
    "p99_ms", "max_ms", "stored_total", "run", "hops_ms", "last_arrival_at", "queue_depth", "ledger",
    "conditions", "store", "error",
}  # fmt: skip
RUN_KEYS = {"id", "highest_number", "stored", "missing", "first_arrival_at"}
HOP_KEYS = {"gateway", "consumer", "queue", "store"}
LEDGER_KEYS = {"accepted", "stored", "waiting", "failed", "unaccounted"}

NEVER_READ = snapshot(
    totals=None, window=None, queue=None, balance=UNKNOWN, runs=(), error="The database can't be read: gone"
)
EMPTY = snapshot(totals=Totals(0, None, None, ()), balance=Balance(0, 0, 0, 0), runs=())
WRONG = (
    Condition("store_unreadable", f"The database can't be read since {token(NOON_NS)}.", NOON_NS),
    Condition("nothing_arrives", "No message has arrived.", NOON_NS),
)


def detail(shown: Snapshot) -> dict[str, Any]:
    return web_detail.detail(shown, stats(shown))


def test_every_key_is_there_whatever_there_is_to_say() -> None:
    for each in (snapshot(), NEVER_READ, EMPTY):
        data = stats(each)
        assert (set(data), set(data["run"]), set(data["hops_ms"])) == (KEYS, RUN_KEYS, HOP_KEYS)
        assert set(data["ledger"]) == LEDGER_KEYS
        assert isinstance(data["conditions"], list)


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
        "ledger": {"accepted": 128, "stored": 128, "waiting": 0, "failed": 0, "unaccounted": 0},
        "conditions": [],
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


def test_missing_is_what_the_database_lacks_whether_it_was_accepted_or_not() -> None:
    assert stats(snapshot())["run"]["missing"] == 2


def test_conditions_are_the_same_for_programs_and_on_the_page() -> None:
    shown = snapshot(conditions=WRONG)
    assert stats(shown)["conditions"] == [
        {
            "code": "store_unreadable",
            "text": "The database can't be read since 12:00:00 UTC.",
            "since": "2026-01-01T12:00:00.000000Z",
        },
        {
            "code": "nothing_arrives",
            "text": "No message has arrived.",
            "since": "2026-01-01T12:00:00.000000Z",
        },
    ]
    assert detail(shown)["states"] == [
        {"level": "bad", "text": "The database can't be read since {2026-01-01T12:00:00.000Z}."},
        {"level": "quiet", "text": "No message has arrived."},
    ]
    assert detail(snapshot())["states"] == [{"level": "fine", "text": "Live"}]


def test_a_lasting_difference_marks_the_ledger() -> None:
    assert not detail(snapshot())["alarm"]
    lost = (Condition("unaccounted", "2 accepted messages can't be found.", NOON_NS),)
    assert detail(snapshot(conditions=lost))["alarm"]


def test_the_depth_of_the_queue_is_unknown_while_redis_is_unreachable() -> None:
    assert stats(snapshot(queue=None))["queue_depth"] is None


CURL = RunFigures("manual", 1, 9_000_000, NOON_NS + 9, NOON_NS + 9, 0)


def with_curl(**changes: Any) -> dict[str, Any]:
    """What the page shows after somebody sent a single huge number."""
    totals = Totals(129, 9_000_000, NOON_NS + 9, (CURL, RUN), active=RUN, leading=RUN, highest_run="manual")
    summaries = (summarize("manual", None, CURL), summarize("run-1", entry(), RUN))
    return {"totals": replace(totals, **changes), "runs": summaries}


def test_a_single_huge_number_does_not_take_the_headline() -> None:
    shown = snapshot(**with_curl())
    assert stats(shown)["highest_number"] == 9_000_000
    assert detail(shown)["highest"] == ["129"]
    assert detail(shown)["texts"]["highest-note"] == "Highest in the database: 9,000,000, in run manual"


def test_a_highest_number_of_another_run_says_whose_it_is() -> None:
    old = RunFigures("old", 1_000, 999, NOON_NS - 9, NOON_NS - 9, 0)
    shown = snapshot(**with_curl(leading=old, highest=999, highest_run="old"))
    assert detail(shown)["highest"] == ["999"]
    assert detail(shown)["texts"]["highest-note"] == "Of run old"


def test_where_no_run_holds_half_of_its_numbers_the_highest_of_all_is_shown() -> None:
    shown = snapshot(**with_curl(leading=None, active=CURL))
    assert detail(shown)["highest"] == ["9", "000", "000"]
    assert detail(shown)["texts"]["highest-note"] == ""


def test_the_newest_run_began_last_and_the_active_one_was_stored_to_last() -> None:
    shown = snapshot(**with_curl())
    assert stats(shown)["run"]["id"] == "manual"
    assert detail(shown)["texts"]["run-id"] == "run-1"


def test_the_way_into_redis_is_a_hop_of_its_own_on_the_page() -> None:
    assert detail(snapshot())["hops_ms"] == [1.0, 2.212, 2.0, 5.0, None]
    assert detail(snapshot(window=None))["hops_ms"] == [None] * 5


def test_a_wait_whose_way_into_redis_is_not_known_is_shown_whole() -> None:
    without = replace(WINDOW, persist_ms=None)
    assert detail(snapshot(window=without))["hops_ms"] == [1.0, 2.212, None, 7.0, None]
    neither = replace(without, hops_ms=(1.0, 2.2123456, None, None))
    assert detail(snapshot(window=neither))["hops_ms"] == [1.0, 2.212, None, None, None]


def test_failed_messages_are_listed_with_their_reasons() -> None:
    failed = FailedSummary(2, (("job-1", "number must be an integer"), ("job-2", "x" * 5_000)))
    shown = detail(snapshot(queue=replace(QUEUE, failed=failed), balance=Balance(128, 121, 0, 7)))
    assert shown["texts"]["failed-count"] == "7 failed messages in 2 jobs"
    assert shown["failed"][0] == {"job": "job-1", "reason": "number must be an integer"}
    assert len(shown["failed"][1]["reason"]) == 300
    assert detail(snapshot())["failed"] == []


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


def test_a_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    data = encode(stats(snapshot(error="half \ud83d of a character")))
    assert json.loads(data)["error"] == "half \ud83d of a character"


def test_negative_times_are_not_clipped() -> None:
    negative = stats(snapshot(window=Window(1, -12.5, -12.5, -12.5, -12.5, -12.5)))
    assert negative["average_transmission_ms"] == negative["max_ms"] == -12.5


def test_the_texts_of_the_page_are_ready() -> None:
    shown = detail(snapshot())
    assert shown["texts"] == {
        "average": "3.21",
        "average-unit": "ms",
        "average-note": "",
        "highest-note": "",
        "ledger": "128 accepted = 128 stored + 0 waiting + 0 failed",
        "p50": "3.00 ms",
        "p95": "4.00 ms",
        "p99": "5.00 ms",
        "max": "5.00 ms",
        "hop-gateway": "1.00 ms",
        "hop-consumer": "2.21 ms",
        "hop-persist": "2.00 ms",
        "hop-queue": "5.00 ms",
        "hop-store": "–",
        "run-label": "run-1",
        "run-id": "run-1",
        "run-highest": "129",
        "window-count": "3",
        "clock-difference": "The clock difference is not known.",
        "histogram-note": "ms; labels are upper limits, and the steps between them grow",
        "failed-count": "0 failed messages in 0 jobs",
    }
    assert shown["highest"] == ["129"]
    assert shown["point"] == (NOON_NS // 10**6, 3.212, 5.0, "3.21", "5.00")


def test_the_clock_difference_is_that_of_the_newest_run_that_reported_one() -> None:
    queue = replace(QUEUE, clock_offsets={"run-1": ClockOffset("run-1", 3_000_000, 1_000_000)})
    assert "3.00 ms ± 1.00 ms" in detail(snapshot(queue=queue))["texts"]["clock-difference"]
