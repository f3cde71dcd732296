"""The addresses of the web service."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

import web
from pipeline.clock import NS_PER_S
from pipeline.queue.job_search import JobState
from pipeline.store import RunFigures, Totals
from tests.support.batches import NOON_NS
from tests.support.snapshots import RUN, entry, snapshot
from web.app import create
from web.broadcaster import Broadcaster
from web.conditions import Condition
from web.event_log import Event
from web.lookup import LookupFailed
from web.run_summary import RunSummary, summarize
from web.trace import Moment, Trace, of_unsearched

WEIGHT = 50_000
"""Bytes that the page may have in all."""


ADDRESSES = [
    "/",
    "/fizzbuzz/",
    "/fizzbuzz/stats",
    "/fizzbuzz/stream",
    "/fizzbuzz/runs",
    "/fizzbuzz/runs/run-1",
    "/fizzbuzz/messages/run-1/57",
    "/fizzbuzz/static/page.js",
    "/metrics",
    "/readyz",
    "/healthz",
    "/nowhere",
]


WAITING = Trace(
    "run-1",
    57,
    "waiting",
    (Moment("sent", NOON_NS, "producer"), Moment("arrived", NOON_NS + 3_000_000, "consumer")),
    "job-1",
)


class FakeLookup:
    """One run and one message."""

    error: LookupFailed | None = None
    found = WAITING

    def runs(self) -> list[RunSummary]:
        return [self._run()]

    def run(self, name: str) -> RunSummary | None:
        return self._run() if name == "run-1" else None

    def message(self, run: str, number: int) -> Trace:
        self._run()
        return self.found if (run, number) == ("run-1", 57) else Trace(run, number, "unknown")

    def _run(self) -> RunSummary:
        if self.error:
            raise self.error
        return summarize("run-1", entry(), RUN)


class Desk:
    """The app, its clock, and what it shows."""

    def __init__(self, **options: Any) -> None:
        self.now_ns = NOON_NS
        self.broadcaster = Broadcaster(snapshot())
        self.lookup = FakeLookup()
        app = create(self.broadcaster, lambda: self.now_ns, lookup=self.lookup, **options)  # type: ignore[arg-type]
        self.client: FlaskClient = app.test_client()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_page_has_number_and_average_before_any_script_runs(desk: Desk) -> None:
    html = desk.client.get("/fizzbuzz/").text
    assert "<span>129</span>" in html
    assert '<b id="average" class="ms">3.21</b>' in html
    assert '<noscript><meta http-equiv="refresh"' in html


@pytest.mark.parametrize("path", ["/", "/fizzbuzz"])
def test_other_ways_lead_to_the_page(desk: Desk, path: str) -> None:
    answer = desk.client.get(path, buffered=True)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/fizzbuzz/")


def test_stats_is_the_data_of_the_newest_event(desk: Desk) -> None:
    answer = desk.client.get("/fizzbuzz/stats")
    assert answer.mimetype == "application/json"
    assert answer.json == desk.broadcaster.stats
    desk.broadcaster.publish(snapshot(2, store="influxdb"))
    assert desk.client.get("/fizzbuzz/stats").json["store"] == "influxdb"  # type: ignore[index]


def test_a_stream_is_not_buffered_on_its_way(desk: Desk) -> None:
    answer = desk.client.get("/fizzbuzz/stream", buffered=False)
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    chunks = answer.iter_encoded()
    next(chunks)
    data = next(chunks).decode().split("data: ")[1]
    assert json.loads(data) == desk.broadcaster.stats
    answer.close()


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "gzip"),
        ("gzip;q=0.5, identity;q=0.1", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("*", None),
        ("br, zstd", None),
        ("", None),
        (None, None),
    ],
)
def test_a_stream_is_compressed_where_its_client_prefers_that(
    desk: Desk, accepted: str | None, encoding: str | None
) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = desk.client.get("/fizzbuzz/stream", headers=headers, buffered=False)
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    first = next(iter(answer.response))
    assert isinstance(first, bytes)
    assert first.startswith(b"\x1f\x8b" if encoding else b": ")
    answer.close()


def test_a_stream_resumes_where_its_client_was(desk: Desk) -> None:
    for number in (2, 3):
        desk.broadcaster.publish(snapshot(number))
    answer = desk.client.get("/fizzbuzz/stream", headers={"Last-Event-ID": "1"}, buffered=False)
    chunks = answer.iter_encoded()
    got = b"".join(next(chunks) for _ in range(3)).decode()
    assert [line for line in got.splitlines() if line.startswith("id:")] == ["id: 2", "id: 3"]
    answer.close()


def test_streams_beyond_the_limit_are_asked_to_retry_and_the_rest_is_served() -> None:
    desk = Desk(max_streams=2)
    streams = [desk.client.get("/fizzbuzz/stream", buffered=False) for _ in range(2)]
    chunks = [stream.iter_encoded() for stream in streams]
    for chunk in chunks:
        next(chunk)
    refusal = desk.client.get("/fizzbuzz/stream")
    assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "5")
    assert refusal.mimetype == "application/problem+json"
    assert desk.client.get("/fizzbuzz/").status_code == 200
    streams[0].close()
    again = desk.client.get("/fizzbuzz/stream", buffered=False)
    assert again.status_code == 200
    again.close()  # before it began
    streams[1].close()
    assert desk.broadcaster.open_streams.here == 0


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({}, "127.0.0.1:5000"),
        ({}, "LOCALHOST"),
        ({"hosts": ("page.example",)}, "Page.Example:8443"),
        ({"bind": "192.0.2.7"}, "192.0.2.7:5000"),
        ({"bind": "0.0.0.0"}, "192.0.2.8"),
    ],
)
@pytest.mark.parametrize("path", ["/fizzbuzz/", "/fizzbuzz/static/page.js"])
def test_a_host_that_is_known_is_served(options: dict[str, Any], host: str, path: str) -> None:
    assert Desk(**options).client.get(path, headers={"Host": host}, buffered=True).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "localhost.evil.example", "192.0.2.7", ""]
)
@pytest.mark.parametrize("path", ADDRESSES)
def test_a_host_that_is_unknown_is_refused(desk: Desk, host: str, path: str) -> None:
    answer = desk.client.get(path, headers={"Host": host}, buffered=True)
    assert (answer.status_code, answer.mimetype) == (421, "application/problem+json")
    assert "FIZZBUZZ_HOSTS" in answer.json["detail"]  # type: ignore[index]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Location" not in answer.headers


def test_ready_means_that_the_database_can_be_read(desk: Desk) -> None:
    assert desk.client.get("/readyz").status_code == 200
    desk.broadcaster.publish(snapshot(2, error="The database can't be read: gone"))
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.json["detail"]) == (503, "The database can't be read: gone")  # type: ignore[index]


def test_a_database_that_can_not_be_written_leaves_the_page_ready(desk: Desk) -> None:
    unwritable = Condition("store_unwritable", "The database can't be written.", NOON_NS)
    desk.broadcaster.publish(snapshot(2, conditions=(unwritable,)))
    assert desk.client.get("/readyz").status_code == 200
    assert desk.client.get("/fizzbuzz/stats").json["conditions"][0]["code"] == "store_unwritable"  # type: ignore[index]


def test_runs_are_listed_and_one_is_found_by_its_name(desk: Desk) -> None:
    runs = desk.client.get("/fizzbuzz/runs").json
    assert runs == {"runs": [desk.client.get("/fizzbuzz/runs/run-1").json]}
    assert runs["runs"][0]["accepted"] == 128


def test_a_message_is_found_by_its_name(desk: Desk) -> None:
    answer = desk.client.get("/fizzbuzz/messages/run-1/57")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {
        "run": "run-1",
        "number": 57,
        "state": "waiting",
        "moments": [
            {"what": "sent", "at": "2026-01-01T12:00:00.000000Z", "service": "producer"},
            {"what": "arrived", "at": "2026-01-01T12:00:00.003000Z", "service": "consumer"},
        ],
        "job": "job-1",
        "worker": None,
        "reason": None,
    }


def test_a_message_that_nobody_knows_is_404_and_says_so(desk: Desk) -> None:
    answer = desk.client.get("/fizzbuzz/messages/run-1/58")
    assert answer.status_code == 404
    assert answer.json["state"] == "unknown"  # type: ignore[index]
    page = desk.client.get("/fizzbuzz/messages/run-1/58", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "This message is unknown" in page.text


def test_a_browser_gets_a_drawing_of_less_than_20_kb_and_nothing_from_elsewhere(desk: Desk) -> None:
    browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = desk.client.get("/fizzbuzz/messages/run-1/57", headers={"Accept": browsers})
    assert (page.mimetype, page.headers["Vary"]) == ("text/html", "Accept")
    assert '<polyline points="110.0,30 ' in page.text
    assert 'aria-label="sent, arrived +3.00 ms"' in page.text
    assert "until now" in page.text  # it waits: its line goes on
    assert len(page.data) < 20_000
    assert "<script" not in page.text
    assert "http" not in page.text


def test_a_reason_can_not_become_markup(desk: Desk) -> None:
    reason = "<script>alert(1)</script>"
    desk.lookup.found = Trace("run-1", 57, "failed", WAITING.moments, reason, reason, reason)
    page = desk.client.get("/fizzbuzz/messages/run-1/57", headers={"Accept": "text/html"})
    assert "<script" not in page.text
    assert "alert(1)" in page.text


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("waiting", "it waits for a worker; only the oldest 5,000 jobs"),
        ("failed", "Failed for good; only the oldest 5,000 jobs"),
        (None, "nor in a job in Redis that was searched; only the oldest 5,000 jobs"),
    ],
)
def test_a_message_whose_job_was_not_searched_says_so(
    desk: Desk, state: JobState | None, sentence: str
) -> None:
    desk.lookup.found = of_unsearched("run-1", 57, state)
    page = desk.client.get("/fizzbuzz/messages/run-1/57", headers={"Accept": "text/html"})
    assert sentence in page.text
    assert "None" not in page.text


@pytest.mark.parametrize("path", ["/fizzbuzz/runs", "/fizzbuzz/runs/run-1", "/fizzbuzz/messages/run-1/57"])
def test_what_can_not_be_read_now_may_be_asked_again(desk: Desk, path: str) -> None:
    desk.lookup.error = LookupFailed("The database can't be read: gone")
    answer = desk.client.get(path)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.json["detail"] == "The database can't be read: gone"  # type: ignore[index]
    assert answer.headers["Retry-After"]


def test_a_sampler_that_is_stuck_is_not_ready(desk: Desk) -> None:
    desk.now_ns += 6 * NS_PER_S
    assert desk.client.get("/readyz").status_code == 503
    assert desk.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/fizzbuzz/static/../app.py", 404),
        ("GET", "/fizzbuzz/static/nothing.js", 404),
        ("POST", "/fizzbuzz/", 405),
        ("DELETE", "/fizzbuzz/stream", 405),
        ("GET", "/fizzbuzz/runs/run-2", 404),
        ("GET", "/fizzbuzz/runs/" + "x" * 65, 422),
        ("GET", "/fizzbuzz/runs/a%20b", 422),
        ("GET", "/fizzbuzz/runs/a%2Fb", 404),
        ("DELETE", "/fizzbuzz/runs/run-1", 405),
        ("GET", "/fizzbuzz/messages/run-1", 404),
        ("GET", "/fizzbuzz/messages/%3Cb%3E/1", 422),
        ("GET", "/fizzbuzz/messages/run-1/-1", 422),
        ("GET", "/fizzbuzz/messages/run-1/1.5", 422),
        ("GET", "/fizzbuzz/messages/run-1/٣", 422),
        ("GET", "/fizzbuzz/messages/run-1/9007199254740992", 422),
        ("GET", "/fizzbuzz/messages/run-1/" + "1" * 5_000, 422),
    ],
)
def test_an_error_is_a_problem_document(desk: Desk, method: str, path: str, status: int) -> None:
    answer = desk.client.open(path, method=method, buffered=True)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status  # type: ignore[index]


@pytest.mark.parametrize(
    "path",
    [
        "/fizzbuzz/",
        "/fizzbuzz/stats",
        "/fizzbuzz/runs",
        "/fizzbuzz/messages/run-1/57",
        "/nowhere",
        "/fizzbuzz/static/page.js",
    ],
)
def test_every_response_forbids_what_the_page_does_not_need(desk: Desk, path: str) -> None:
    headers = desk.client.get(path, buffered=True).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self' 'sha256-")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_runs_name_can_not_become_markup(desk: Desk) -> None:
    name = "</script><script>alert(1)</script>"
    evil = RunFigures(name, 1, 0, NOON_NS, NOON_NS, 0)
    totals = Totals(1, 0, NOON_NS, (evil,), active=evil, highest_run=name)
    events = (Event(NOON_NS, "run", f"new run {name}"),)
    conditions = (Condition("unaccounted", f"run {name}", NOON_NS),)
    summary = summarize(name, None, evil)
    desk.broadcaster.publish(
        snapshot(2, totals=totals, runs=(summary,), events=events, conditions=conditions)
    )
    assert name not in desk.client.get("/fizzbuzz/").text


def test_the_page_weighs_less_than_50_kb_and_takes_nothing_from_elsewhere(desk: Desk) -> None:
    folder = Path(web.__file__).parent
    files = [file for file in (folder / "static").iterdir() if file.suffix != ".svg"]
    html = desk.client.get("/fizzbuzz/").text
    assert len(html.encode()) + sum(file.stat().st_size for file in files) < WEIGHT
    for text in (html, *(file.read_text() for file in files)):
        assert "https://" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_metrics_are_what_prometheus_expects(desk: Desk) -> None:
    text = desk.client.get("/metrics").text
    ours = [family for family in text_string_to_metric_families(text) if family.name.startswith("fizzbuzz_")]
    assert {"fizzbuzz_web_streams", "fizzbuzz_web_events", "fizzbuzz_web_reading_seconds"} <= {
        family.name for family in ours
    }
    for family in ours:
        assert family.documentation
        assert all(sample.name.endswith("_total") for sample in family.samples if family.type == "counter")
