"""The page of a run in a real browser: quick, searched, read by anybody, on any screen, printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from pytest_housekeeping.evidence.report.beside import NOTHING_BESIDE
from support.browser import chromium, unfold
from support.report_page import EVIL, large_audit, rich_audit, write_page

pytestmark = pytest.mark.xdist_group("browser")
LARGE = 5000
FINDINGS = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(*rich_audit(), tmp_path_factory.mktemp("rich")).as_uri()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    return write_page(large_audit(LARGE, FINDINGS), NOTHING_BESIDE, folder)


def opened(browser: Browser, place: str, **how: object) -> Page:
    page = browser.new_page(**how)  # type: ignore[arg-type]
    page.goto(place)
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 390)])
def test_axe_finds_nothing(browser: Browser, rich: str, scheme: str, width: int) -> None:
    page = opened(browser, rich, color_scheme=scheme, viewport={"width": width, "height": 900})
    unfold(page)
    found = Axe().run(page).response["violations"]
    told = [
        (each["id"], each["help"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found
    ]
    assert told == []
    page.close()


def test_a_small_screen_is_wide_enough(browser: Browser, rich: str) -> None:
    page = opened(browser, rich, viewport={"width": 390, "height": 844})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 14
    page.close()


def test_five_thousand_steps_and_ten_thousand_findings_open_at_once_and_are_searched(
    browser: Browser, large: Path
) -> None:
    """Seconds of the processor, which no neighbour on the machine makes longer."""
    page = browser.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(large.as_uri())
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    assert 0.01 < metrics["TaskDuration"] < 1.0
    assert large.stat().st_size < 2_500_000

    page.get_by_label("Search the steps").fill("RULE-04999")
    page.get_by_text("1 found").wait_for()
    assert page.locator("#steps tbody tr:visible").count() == 1
    page.get_by_label("Search the steps").fill("")
    page.wait_for_function("!document.querySelector('#steps details[open]')")
    page.close()


def test_what_is_folded_is_reached_by_the_keyboard(browser: Browser, rich: str) -> None:
    page = opened(browser, rich)
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached
    assert "1 file tried, none of them applied" in reached
    fold = page.locator("details.hk-row").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.get_attribute("open") == ""
    assert "ADD COLUMN region" in fold.inner_text()
    page.close()


def test_a_link_into_what_is_folded_unfolds_it(browser: Browser, rich: str) -> None:
    page = opened(browser, rich)
    page.locator("a[href='#rule-rls-not-forced']").first.click()
    page.wait_for_function("document.getElementById('rule-rls-not-forced').open")
    assert page.get_by_text("The owner bypasses its policies.").last.is_visible()
    assert [each for each in page.locator("a[href^='#']").all() if not _target(page, each)] == []
    page.close()


def test_on_paper_everything_but_the_list_of_steps_is_unfolded(browser: Browser, rich: str) -> None:
    page = opened(browser, rich)
    page.emulate_media(media="print")
    folded = "document.querySelectorAll('.hk details:not([open]):not(.hk-steps)').length"
    before = page.evaluate(folded)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(folded) == 0
    assert not page.locator(".hk-search").first.is_visible()
    assert page.get_by_text("ALTER TABLE venture.country ADD COLUMN").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folded) == before > 0
    page.close()


def test_no_name_runs_loads_or_hides_anything(browser: Browser, rich: str) -> None:
    page = browser.new_page()
    asked, wrong = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(rich)
    unfold(page)
    assert (asked, wrong) == ([rich], [])
    assert page.evaluate("document.scripts.length") == 2
    shown = page.locator("body").inner_text()
    assert EVIL[:25] in shown
    assert "\\x1b[31m\\u202e" in shown
    assert not set("\x1b\u202e") & set(page.content())
    page.close()


def _target(page: Page, link: object) -> bool:
    place = link.get_attribute("href")  # type: ignore[attr-defined]
    return page.evaluate("(id) => !!document.getElementById(id)", place[1:])  # type: ignore[no-any-return]
