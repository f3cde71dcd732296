"""What a user sees."""

import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from pipeline.clock import NS_PER_MS
from pipeline.message import ClockOffset
from pipeline.queue import client as queue
from pipeline.queue import keys
from pipeline.store.sqlite import SqliteStore
from tests.browser.conftest import Tabs
from tests.support import plain_stream
from tests.support.batches import batch
from tests.support.redis_server import PATIENCE_S
from tests.support.waiting import awaited, until
from tests.support.web_service import Site, WebService

pytestmark = pytest.mark.browser

NOTICED_S = 3.0
"""The page says within this that something is wrong."""


def highest(page: Page) -> int:
    text = page.inner_text("#highest")
    return -1 if text == "–" else int(text)


def text_of(page: Page, where: str) -> str:
    return " ".join((page.text_content(where) or "").split())


def shows(page: Page, where: str, pattern: str, within_s: float) -> None:
    """A text that fits is there in time, by the tests' own stopwatch: Playwright knows no busy machines."""
    until(lambda: re.search(pattern, text_of(page, where)), within_s, f"{where} does not show {pattern}")


def moves(page: Page, timeout_s: float = 4.0) -> None:
    """The highest number rises."""
    before = highest(page)
    until(lambda: highest(page) > before, timeout_s, "the highest number does not move")


def test_number_and_average_move_by_themselves(shared_tabs: Tabs, shared_site: Site) -> None:
    page = shared_tabs.open()
    moves(page)
    moves(page)
    assert highest(page) <= shared_site.feeder.highest
    expect(page.locator("#average")).to_have_text("3.00")
    expect(page.locator("#state")).to_have_text("Live")


def test_the_stream_is_compressed_and_no_event_is_late(shared_tabs: Tabs, shared_site: Site) -> None:
    page = shared_tabs.context.new_page()
    with page.expect_response("**/fizzbuzz/stream*") as opened:
        page.goto(shared_tabs.url)
    assert opened.value.header_value("content-encoding") == "gzip"
    for _ in range(3):
        moves(page, timeout_s=2.0)
    with plain_stream.beside(shared_site.web) as plain:
        arrived = page.evaluate(
            """() => new Promise((resolve) => {
              const arrived = [];
              new EventSource("/fizzbuzz/stream?detail=1").addEventListener("stats", (event) => {
                arrived.push([Number(event.lastEventId), Date.now()]);
                if (arrived.length === 5) resolve(arrived);
              });
            })"""
        )
        late_ms = plain_stream.late_ms(dict(arrived), plain)
    assert max(late_ms) < plain_stream.LATE_MS, late_ms


def test_all_that_is_measured_is_shown(shared_tabs: Tabs) -> None:
    page = shared_tabs.open()
    expect(page.locator("#run-label")).to_have_text("run-1")
    expect(page.locator("#ledger")).to_contain_text("stored, 0 waiting, 0 failed")
    expect(page.locator("#failed")).to_be_hidden()
    expect(page.locator("#runs tr")).to_have_count(1)
    expect(page.locator("#hop-gateway")).to_have_text("1.00 ms")
    expect(page.locator("#hop-persist")).to_have_text("1.00 ms")
    expect(page.locator("#events")).to_contain_text("web started")
    expect(page.locator("#histogram li")).to_have_count(17)
    expect(page.locator("#histogram")).to_contain_text("2.5 to 3 ms: ")
    expect(page.locator("#chart svg")).to_have_attribute(
        "aria-label", re.compile("Average from 3.00 to 3.00 ms")
    )
    page.get_by_text("Show as table").click()
    expect(page.locator("#chart-table tbody tr").first).to_contain_text("3.00")


@pytest.mark.parametrize("end", [WebService.stop, WebService.kill], ids=["stopped", "killed"])
def test_a_page_that_lost_the_service_says_so_and_reconnects(
    tabs: Tabs, site: Site, end: Callable[[WebService], object]
) -> None:
    page = tabs.open()
    moves(page)
    end(site.web)
    shows(page, "#state", r"^Connection lost at \d\d:\d\d:\d\d; reconnecting$", NOTICED_S)
    site.web.start()
    shows(page, "#state", "^Live$", 6)
    moves(page)


@pytest.mark.long
def test_a_page_whose_browser_gave_up_reconnects(tabs: Tabs, site: Site) -> None:
    page = tabs.context.new_page()  # which complains of the 503, and rightly
    page.route("**/stream?*", lambda route: route.fulfill(status=503, body="a proxy in between"))
    page.goto(tabs.url)
    shows(page, "#state", "Connection lost at", NOTICED_S)
    page.unroute_all()
    shows(page, "#state", "^Live$", 4)
    moves(page)


def test_an_outage_of_the_database_and_its_end_are_shown(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    known = highest(page)
    site.web.data.rename(site.web.directory / "away")
    shows(page, "#state", "The database can't be read", NOTICED_S)
    assert highest(page) >= known
    expect(page.locator("#average")).to_have_text("–")
    expect(page.locator("#events")).to_contain_text("database can't be read")
    (site.web.directory / "away").rename(site.web.data)
    shows(page, "#state", "^Live$", NOTICED_S)
    expect(page.locator("#events")).to_contain_text("database can be read again, after")
    moves(page)


def test_a_pipeline_that_falls_silent_is_reported(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    site.feeder.stop()
    silent = r"^No message has arrived since \d\d:\d\d:\d\d\. No accepted message waits\.$"
    shows(page, "#state", silent, NOTICED_S + 1)


@pytest.mark.long
def test_a_tab_that_was_frozen_is_right_again_at_once(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    session = tabs.context.new_cdp_session(page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    site.web.stop()
    site.web.start()
    time.sleep(5)  # asleep
    session.send("Page.setWebLifecycleState", {"state": "active"})
    shows(page, "#state", "^Live$", 4)
    until(lambda: site.feeder.highest - highest(page) <= 20, 2, "the values are old")


def test_a_minute_that_passed_in_sleep_ends_in_the_newest_values(
    shared_tabs: Tabs, shared_site: Site
) -> None:
    page = shared_tabs.context.new_page()
    page.clock.install()
    page.goto(shared_tabs.url)
    moves(page)
    page.clock.fast_forward(60_000)
    shows(page, "#state", "^Live$", 4)
    moves(page)
    until(lambda: shared_site.feeder.highest - highest(page) <= 20, 2, "the values are old")


def test_a_hidden_tab_closes_its_connection_until_it_is_visible_again(
    shared_tabs: Tabs, shared_site: Site
) -> None:
    page = shared_tabs.context.new_page()
    page.clock.install()
    page.goto(shared_tabs.url)
    moves(page)
    set_hidden(page, hidden=True)
    page.clock.fast_forward(1_000)
    page.clock.fast_forward(61_000)
    until(lambda: streams(shared_site.web) == 0, 5, "the connection is still open")
    set_hidden(page, hidden=False)
    shows(page, "#state", "^Live$", 2)
    moves(page)


def test_two_tabs_show_the_same(shared_tabs: Tabs, shared_site: Site) -> None:
    one, other = shared_tabs.open(), shared_tabs.open()
    moves(one)
    until(lambda: highest(one) == highest(other), 3, "the tabs differ")


def test_the_tabs_of_a_browser_share_a_stream_and_go_on_without_the_one_that_has_it(
    tabs: Tabs, site: Site
) -> None:
    pages = [tabs.open() for _ in range(8)]
    for page in pages:
        moves(page)
    until(lambda: streams(site.web) == 1, 5, "the tabs do not share a stream")
    pages[-1].get_by_text("Show as table").click()
    expect(pages[-1].locator("#chart-table tbody tr").first).to_contain_text("3.00")
    while len(pages) > 5:
        pages.pop(0).close()
        for page in pages:
            shows(page, "#state", "^Live$", NOTICED_S)
            moves(page)
        until(lambda: streams(site.web) == 1, 5, "not one stream")


def test_a_tab_whose_own_stream_is_refused_shows_what_another_tab_receives(
    shared_tabs: Tabs, shared_site: Site
) -> None:
    moves(shared_tabs.open())
    page = shared_tabs.open("**/fizzbuzz/stream*", lambda route: route.fulfill(status=503))
    moves(page, 10)
    moves(page)
    complaints, shared_tabs.complaints = shared_tabs.complaints, []
    assert all("503" in text for text in complaints)


@pytest.mark.parametrize("script", ["page", "chart"])
def test_a_page_whose_script_did_not_come_is_loaded_again(
    shared_tabs: Tabs, shared_site: Site, script: str
) -> None:
    """As after a change of the network: without its script it could not even say that it stands still."""
    lost: list[Route] = []

    def lose_first(route: Route) -> None:
        lost.append(route)
        route.abort() if len(lost) == 1 else route.continue_()

    page = shared_tabs.open(f"**/static/{script}.js", lose_first)
    expect(page.locator("#state")).to_contain_text("As of")
    expect(page.locator("#state")).to_have_text("Live")
    assert len(lost) > 1
    moves(page)
    (complaint,), shared_tabs.complaints = shared_tabs.complaints, []
    assert "net::ERR_FAILED" in complaint


def test_without_locks_each_tab_has_a_stream(shared_tabs: Tabs, shared_site: Site) -> None:
    shared_tabs.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    for page in [shared_tabs.open() for _ in range(2)]:
        moves(page)
    until(lambda: streams(shared_site.web) == 2, 3, "each tab has a stream, and no more")


def test_nothing_jumps_while_values_change(shared_tabs: Tabs) -> None:
    page = shared_tabs.open()
    page.evaluate(
        """() => { window.shift = 0; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true }); }"""
    )
    for _ in range(3):
        moves(page)
    assert page.evaluate("window.shift") < 0.01


def test_negative_times_are_shown_as_they_are_and_marked(tabs: Tabs, site: Site) -> None:
    site.feeder.transmission_ms = -250.0
    page = tabs.open()
    expect(page.locator("#max.minus, #p50.minus").first).to_be_visible()
    expect(page.locator("#average")).to_have_class("ms minus")
    expect(page.locator("#average")).to_have_text(re.compile("^−"))
    expect(page.locator("#state")).to_contain_text("the clocks of two services differ")
    expect(page.locator("#histogram-note")).to_contain_text(
        "arrived before they were sent: the clocks differ"
    )
    assert page.locator("#chart .ticks").inner_text().count("−") > 0


def test_the_page_shows_how_long_a_message_took_to_be_shown_on_it(shared_tabs: Tabs) -> None:
    page = shared_tabs.open()
    expect(page.locator("#hop-shown")).to_have_text(re.compile(r"^\d"))

    def in_time() -> bool:
        found = re.fullmatch(r"([\d.]+) ms", text_of(page, "#hop-shown"))
        return found is not None and 0 < float(found[1]) < 2_000

    until(in_time, what="no event is shown in time")


def test_a_browser_whose_clock_is_slow_shows_the_wait_as_it_is_and_marks_it(shared_tabs: Tabs) -> None:
    page = shared_tabs.context.new_page()
    page.add_init_script("const now = Date.now; Date.now = () => now() - 60_000;")
    page.goto(shared_tabs.url)
    expect(page.locator("#hop-shown")).to_have_class("ms minus")
    expect(page.locator("#hop-shown")).to_have_text(re.compile("^−"))


@pytest.mark.long
@pytest.mark.parametrize("width", [375, 1_280])
def test_times_of_hours_are_shown_in_hours_and_break_nothing(tabs: Tabs, site: Site, width: int) -> None:
    clock = ClockOffset("run-1", round(36e6) * NS_PER_MS, NS_PER_MS)
    queue.connect(site.web.redis_url, timeout_s=PATIENCE_S).hset(
        keys.run("run-1"), "clock", queue.encode_clock(clock)
    )
    site.feeder.transmission_ms = 36e6
    page = tabs.open()
    page.set_viewport_size({"width": width, "height": 800})
    expect(page.locator("#average-unit")).to_have_text("h")
    expect(page.locator("#average")).to_have_text("10.00")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [box for tick in page.locator("#chart .ticks li").all() if (box := tick.bounding_box())]
    tops = sorted(box["y"] for box in boxes)
    assert len(tops) >= 3
    assert all(lower - upper > 12 for upper, lower in pairwise(tops)), "labels overlap"
    assert all(box["x"] >= 0 for box in boxes)


def test_without_scripts_the_page_still_shows_its_values_and_reloads_itself(
    browser: Browser, shared_site: Site
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shared_site.web.url)
    before = highest(page)
    assert page.inner_text("#average") in ("3.00", "–")
    until(lambda: highest(page) > before, 4, "the page does not reload")
    context.close()


@pytest.mark.long
def test_a_message_whose_time_is_far_off_leaves_average_and_chart_as_they_are(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    site.feeder.transmission_ms = 36e6
    site.feeder.feed()
    site.feeder.transmission_ms = 3.0
    expect(page.locator("#average-note")).to_contain_text("messages left out")
    average = awaited(lambda: text_of(page, "#average"), lambda text: text != "–", what="no average is shown")
    assert average == "3.00"
    assert " h" not in page.locator("#chart .ticks").inner_text()


@pytest.mark.long
def test_a_single_huge_number_takes_neither_the_headline_nor_the_active_run(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    store = SqliteStore(site.web.database)
    store.write([batch([9_000_000], run="manual", at_ns=time.time_ns())])
    store.close()
    expect(page.locator("#highest-note")).to_have_text("Highest in the database: 9,000,000, in run manual")
    moves(page)
    assert highest(page) < 9_000_000
    shows(page, "#run-label", "^run-1$", 3)


@pytest.mark.long
def test_a_run_that_is_named_like_a_time_that_there_is_not_stops_no_page(tabs: Tabs, site: Site) -> None:
    before, run = tabs.open(), "2026-13-01T00:00:00.000Z-abcd"
    moves(before)
    store = SqliteStore(site.web.database)
    store.write([batch([5], run=run, at_ns=time.time_ns())])
    store.close()
    for page in (before, tabs.open()):
        expect(page.locator("#runs")).to_contain_text(run)
        moves(page)


def test_messages_that_were_deleted_are_not_measured_as_shown_late(shared_tabs: Tabs) -> None:
    """The last arrival is an earlier one then, of hours ago."""
    page = shared_tabs.open()
    reported = page.evaluate(
        """async () => {
            const source = document.querySelector("script[type=module]").src;
            const { PaintDelay } = await import(new URL("paint_delay.js", source));
            const ago = (ms) => new Date(Date.now() - ms).toISOString();
            const delay = new PaintDelay(ago(60_000));
            const reported = [];
            for (const newest of [ago(7_200_000), ago(7_100_000)]) {
                delay.record(newest, (ms) => reported.push(ms));
                await new Promise((done) => setTimeout(done, 200));
            }
            return reported.map((ms) => Math.round(ms / 1_000));
        }"""
    )
    assert reported == [7_100]


@pytest.mark.long
def test_several_conditions_are_listed_worst_first(tabs: Tabs, site: Site) -> None:
    page = tabs.open()
    moves(page)
    site.feeder.stop()
    site.web.data.rename(site.web.directory / "away")
    lines = page.locator("#state p")
    until(lambda: lines.count() == 2, NOTICED_S + 1, "there are not two")
    expect(lines.nth(0)).to_contain_text("The database can't be read")
    expect(lines.nth(1)).to_contain_text(re.compile(r"No message has arrived since \d\d:\d\d:\d\d\."))


def test_failed_messages_are_listed_with_what_to_type(tabs: Tabs, site: Site) -> None:
    redis = queue.connect(site.web.redis_url, timeout_s=PATIENCE_S)
    redis.zadd(keys.RQ_FAILED, {"job-1": 1})
    redis.hset(keys.rq_job("job-1"), mapping={"messages": 2, "runs": '{"run-1": 2}'})
    page = tabs.open()
    expect(page.locator("#failed-count")).to_have_text("2 failed messages in 1 job")
    expect(page.locator("#failed-jobs li")).to_contain_text("job-1")
    expect(page.locator("#failed")).to_contain_text("./start.sh failed requeue --all")
    redis.delete(keys.RQ_FAILED)
    until(page.locator("#failed").is_hidden, 3, "it is still shown")


@pytest.mark.parametrize("width", [320, 375, 390, 1_280])
def test_no_time_is_broken_and_no_column_hidden(shared_tabs: Tabs, width: int) -> None:
    page = shared_tabs.open()
    page.set_viewport_size({"width": width, "height": 800})
    moves(page)
    broken = page.evaluate(
        """() => [...document.querySelectorAll("time, dd, .ticks li, #runs td:nth-child(2), #runs th")]
            .filter((one) => one.offsetParent && one.getClientRects().length > 1)
            .map((one) => one.textContent)"""
    )
    assert broken == []
    assert page.locator(".runs thead th:visible").count() == 3
    scroll = page.locator(".scroll")
    assert scroll.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    labels = [one.bounding_box() for one in page.locator("#histogram .label:visible").all()]
    shown = [box for box in labels if box]
    visible = page.locator("#histogram .label").evaluate_all(
        """(all) => all.filter((one) => getComputedStyle(one).visibility === "visible")
            .map((one) => [one.getBoundingClientRect().left, one.getBoundingClientRect().right])"""
    )
    assert len(shown) >= len(visible) > 5
    assert all(left[1] <= right[0] + 1 for left, right in pairwise(visible)), "labels overprint"


@pytest.mark.parametrize("width", [320, 375, 1_280])
def test_nothing_is_wider_than_the_screen(shared_tabs: Tabs, width: int) -> None:
    page = shared_tabs.open()
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def set_hidden(page: Page, *, hidden: bool) -> None:
    """Hide the tab, or show it again."""
    page.evaluate(
        """(hidden) => { Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )


def streams(web: WebService) -> int:
    """Streams that are open, by the service's own count."""
    text = web.get("/metrics")[1].decode()
    found = re.search(r"^fizzbuzz_web_streams (\S+)$", text, re.MULTILINE)
    assert found
    return int(float(found[1]))
