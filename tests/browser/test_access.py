"""The page for everyone: axe, the rule set that browsers' own audits use, finds nothing."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.waiting import awaited
from tests.support.web_service import Site

pytestmark = pytest.mark.browser

COUNT_CHANGES = """() => {
    const state = document.querySelector("#state");
    const said = () => state.textContent.replace(/\\d+/g, "");
    const first = said();
    window.seen = 0;
    window.isOther = false;
    for (const observer of window.observers ?? []) observer.disconnect();
    window.observers = [
        [document.querySelector("[role=status]"), (list) => { window.seen += list.length; }],
        [state, () => { window.isOther ||= said() !== first; }],
    ].map(([watched, heard]) => {
        const observer = new MutationObserver(heard);
        observer.observe(watched, { childList: true, characterData: true, subtree: true });
        return observer;
    });
}"""
WIDTHS = {"desk": 1_280, "phone": 375}


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(
    browser: Browser, shared_site: Site, scheme: Literal["light", "dark"], width: str
) -> None:
    size = {"width": WIDTHS[width], "height": 900}
    context = browser.new_context(color_scheme=scheme, viewport=size, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(shared_site.web.url)
    expect(page.locator("#state")).to_have_text("Live")
    page.get_by_text("Show as table").click()
    assert violations(page) == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_axe_finds_nothing_while_the_database_and_then_the_service_are_unavailable(
    browser: Browser, site: Site, scheme: Literal["light", "dark"]
) -> None:
    site.feeder.transmission_ms = -3.0
    site.feeder.feed()
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(site.web.url)
    site.web.data.rename(site.web.directory / "away")
    expect(page.locator("#state")).to_contain_text("The database can't be read")
    assert violations(page) == []
    site.web.stop()
    expect(page.locator("#state")).to_contain_text("Connection lost at")
    assert violations(page) == []
    context.close()


def test_every_control_is_reached_by_the_keyboard(browser: Browser, shared_site: Site) -> None:
    page = browser.new_page()
    page.goto(shared_site.web.url)
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
    assert reached == ["SUMMARY", "DIV", "SUMMARY", "A", "A", "A"]
    page.close()


def interruptions(page: Page, for_ms: float) -> int:
    """How often a screen reader is told something in a time in which the page says nothing but new numbers.

    Listened again where it does: a busy machine's page may name what is late, and is to tell that.
    """

    def listen() -> tuple[bool, int]:
        page.evaluate(COUNT_CHANGES)
        page.wait_for_timeout(for_ms)
        return page.evaluate("window.isOther"), page.evaluate("window.seen")

    return awaited(listen, lambda found: not found[0], 30, "the page's state changes all the time")[1]


def test_a_screen_reader_is_not_interrupted_every_second(browser: Browser, shared_site: Site) -> None:
    page = browser.new_page()
    page.goto(shared_site.web.url)
    expect(page.locator("#state")).to_have_text("Live")
    live = page.locator("[role=status], [role=alert], [aria-live]")
    assert live.count() == 1
    assert interruptions(page, 3_000) == 0
    expect(live).to_have_text("Live")
    page.close()


def test_a_screen_reader_hears_of_a_condition_once_however_its_numbers_change(
    browser: Browser, site: Site
) -> None:
    page = browser.new_page()
    page.goto(site.web.url)
    spoken, shown = page.locator("[role=status]"), page.locator("#state")
    expect(spoken).to_have_text("Live")
    site.feeder.stop()
    expect(shown).to_contain_text("No message has arrived since")
    expect(spoken).to_contain_text("No message has arrived since")
    assert interruptions(page, 2_500) == 0
    page.close()
