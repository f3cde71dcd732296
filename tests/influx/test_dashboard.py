"""Every cell of the dashboard finds what the pipeline has stored, and shows it in the real UI."""

import csv
import io
import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.influxdb import dashboard
from pipeline.clock import NS_PER_S
from pipeline.message import Arrival, Batch, Message
from pipeline.store.influx import InfluxStore
from tests.influx.conftest import Site

pytestmark = pytest.mark.influx

CELLS = {
    cell["name"]: cell["queries"][0]["query"] for cell in dashboard.template("messages")[0]["spec"]["charts"]
}

# As the UI sets them for a dashboard that shows the last quarter of an hour.
RANGE = "option v = {timeRangeStart: -15m, timeRangeStop: now(), windowPeriod: 10s}\n"


@pytest.fixture(scope="module")
def filled(site: Site) -> Site:
    """Two runs by two workers until now; the older one lost number 7, and one of its messages came late."""
    _store(site, "run-1", ended_ns=time.time_ns() - 60 * NS_PER_S, without=7, late=9)
    _store(site, "run-2", ended_ns=time.time_ns())
    return site


def _store(
    site: Site,
    run: str,
    *,
    ended_ns: int,
    seconds: int = 30,
    each: int = 10,
    without: int = -1,
    late: int = -1,
) -> None:
    """A batch a second, in one request: of what the first test asks for, only seconds may pass."""
    batches = []
    for second in range(seconds):
        began_ns = ended_ns - (seconds - second) * NS_PER_S
        arrivals = [
            _arrival(run, number, began_ns, late=number == late)
            for number in range(each * second, each * second + each)
            if number != without
        ]
        worker, job = f"worker-{second % 2 + 1}", f"{run}-{second}"
        batches.append(Batch(job, "consumer-1", worker, began_ns, began_ns, tuple(arrivals)))
    store = InfluxStore(site.influx("write"))
    store.write(batches)
    store.record_stored([batch.id for batch in batches], ended_ns)
    store.close()


def _arrival(run: str, number: int, began_ns: int, *, late: bool) -> Arrival:
    transmission_ns = 2 * NS_PER_S if late else (number % 10 + 1) * 1_000_000
    arrived_ns = began_ns + number
    return Arrival(Message(run, number, arrived_ns - transmission_ns), arrived_ns)


def _rows(site: Site, cell: str) -> list[dict[str, str]]:
    """What the cell's query finds, with the token of the readers."""
    body = {"query": RANGE + CELLS[cell], "dialect": {"annotations": [], "header": True}}
    request = urllib.request.Request(f"{site.url}/api/v2/query?org=fizzbuzz", json.dumps(body).encode())
    request.add_header("Authorization", f"Token {site.token('read')}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        tables = answer.read().decode().replace("\r", "").strip().split("\n\n")
    return [row for table in tables for row in csv.DictReader(io.StringIO(table))]


def test_the_average_is_that_of_the_last_ten_seconds(filled: Site) -> None:
    # The first test, since the time that the data was made for passes.
    (row,) = _rows(filled, "Average transmission, last 10 s")
    assert float(row["_value"]) == pytest.approx(5.5, abs=0.01)


def test_the_highest_number_is_that_of_all_runs(filled: Site) -> None:
    assert [int(row["_value"]) for row in _rows(filled, "Highest number")] == [299]


def test_percentiles_are_one_line_each(filled: Site) -> None:
    rows = _rows(filled, "Transmission percentiles")
    assert {row["percentile"] for row in rows} == {"p50", "p95", "p99"}
    newest = {row["percentile"]: float(row["_value"]) for row in rows}
    assert 5 <= newest["p50"] <= 6
    assert 9 <= newest["p95"] <= newest["p99"] <= 10


def test_throughput_is_one_line_a_worker_and_adds_up(filled: Site) -> None:
    rows = _rows(filled, "Messages a second, by worker")
    assert {row["worker"] for row in rows} == {"worker-1", "worker-2"}
    assert sum(float(row["_value"]) for row in rows) * 10 == pytest.approx(599)


def test_losses_are_listed_by_run_the_newest_first(filled: Site) -> None:
    names = ("run", "missing", "late", "stored", "highest")
    rows = [tuple(row[name] for name in names) for row in _rows(filled, "Losses by run")]
    assert rows == [("run-2", "0", "0", "300", "299"), ("run-1", "1", "1", "299", "299")]


def test_a_bucket_of_another_name_is_asked_for_by_every_cell() -> None:
    cells = dashboard.template('a "b"')[0]["spec"]["charts"]
    assert all(r'from(bucket: "a \"b\"")' in cell["queries"][0]["query"] for cell in cells)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 1280, "height": 1080}) as page:
        yield page


@pytest.mark.browser
def test_in_the_real_ui_every_cell_shows_data(filled: Site, page: Page, tmp_path: Path) -> None:
    _sign_in(filled, page)
    (found,) = filled.admin().call("GET", "/api/v2/dashboards")["dashboards"]
    # So that the last 10 s are not empty, however long the UI takes. Its numbers are not the highest.
    _store(filled, "run-3", ended_ns=time.time_ns() + 120 * NS_PER_S, seconds=120, each=2)
    page.goto(f"{filled.url}/orgs/{filled.org_id()}/dashboards/{found['id']}")
    for name in CELLS:
        expect(page.get_by_test_id(f"cell {name}")).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("single-stat--text")).to_have_count(2, timeout=20_000)
    highest, average = page.get_by_test_id("single-stat--text").all_text_contents()
    assert highest == "299"
    assert re.fullmatch(r"\d+\.\d\d ms", average)
    for name in ("Transmission percentiles", "Messages a second, by worker"):
        expect(page.get_by_test_id(f"cell {name}").locator("canvas").first).to_be_visible()
    expect(page.get_by_test_id("cell Losses by run")).to_contain_text("run-1")
    expect(page.get_by_text("No Results")).to_have_count(0)
    folder = Path(os.environ.get("FIZZBUZZ_SCREENSHOTS") or tmp_path)
    page.screenshot(path=folder / "influx-dashboard.png")


def _sign_in(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.locator("input[name=username]").fill(site.wanted.username)
    page.locator("input[name=password]").fill(site.wanted.password)
    page.locator("button[type=submit]").click()
    page.wait_for_url("**/orgs/**")
