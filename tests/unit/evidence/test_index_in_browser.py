"""The page of all runs in a real browser: filtered, read by anybody, the schema of a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from pytest_housekeeping.evidence.index.rows import Row
from pytest_housekeeping.evidence.index.schema_texts import SchemaState, as_differences
from pytest_housekeeping.evidence.report.index_page import index_page
from support.browser import chromium, unfold
from support.index_ground import CONTROL, LONG, NASTY, schema

pytestmark = pytest.mark.xdist_group("browser")
RUNS = 500
LINES = """cell => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return text.getClientRects().length;
}"""
ROW = Row(
    kind="run",
    run="0000aaaa",
    mode="prod",
    outcome="promoted",
    target="prod",
    began="2027-01-01T03:04:05Z",
    ended="2027-01-01T03:05:05Z",
    runner="carol",
    author="Ada <ada@example.org>",
    approver="bob@example.org",
    files=("sql/migrations/0016_region.sql",),
    objects=("made table venture.orders", NASTY, CONTROL, LONG),
    facts={"reason": "<img src=x onerror=alert(1)>", "risk": "venture.orders rewritten"},
    commit="c" * 40,
    ci_url="javascript:alert(1)",
    path="ops/audit/prod_20270101T030405Z_0000aaaa.json",
    report="",
    schema="",
    branches=("HEAD",),
    chain="follows no other audit; whole",
    signature="not asked for",
    sound=True,
)


def rows() -> list[Row]:
    others = [
        replace(
            ROW,
            run=f"{number:04x}bbbb",
            mode="staging",
            target="staging",
            began=f"2027-02-{number % 28 + 1:02}T00:00:00Z",
            ended=f"2027-02-{number % 28 + 1:02}T00:01:00Z",
            files=(f"sql/migrations/{number + 100:04}_x.sql",),
            objects=(),
            runner="dave",
            author="",
            approver="",
        )
        for number in range(1, RUNS)
    ]
    return [ROW, *others]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    days = {"2027-01-01": "<b>first</b>", "2027-02-01": "second", "2027-03-01": "third"}
    states = [
        SchemaState(
            at=f"{day}T03:05:05Z",
            run="0000aaaa",
            found=False,
            target="prod",
            path=f"ops/audit/{day}.sql",
            text=schema(text),
        )
        for day, text in days.items()
    ]
    text = index_page(rows(), as_differences(states), [], here=frozenset(), project="shop")
    path = tmp_path_factory.mktemp("index") / "index.html"
    path.write_text(text, encoding="utf-8")
    return path


def shown(page: Page) -> int:
    return page.locator("#runs tbody tr:not([hidden])").count()


def test_it_is_filtered_and_tells_the_schema_of_a_day(browser: Browser, place: Path) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(place.as_uri())
    assert shown(page) == RUNS
    for name, value in {"o": "venture.ORDERS", "f": "0016", "p": "bob"}.items():
        page.fill(f"#filters [name={name}]", value)
        assert shown(page) == 1, name
        assert page.locator("#count").inner_text() == f"1 of {RUNS} rows"
        page.click("#filters button[type=reset]")
        # The page lets no text be run as a script, and so none that waits: it is asked again.
        expect(page.locator("#count")).not_to_have_text(f"1 of {RUNS} rows")
    page.select_option("#filters [name=w]", "prod promoted")
    assert shown(page) == 1
    page.select_option("#filters [name=w]", "")
    page.fill("#filters [name=until]", "2027-01-31")
    assert shown(page) == 1
    page.fill("#filters [name=o]", "nothing is called so")
    assert page.locator("#none").is_visible()
    for day, last in {"2027-01-15": "-- <b>first</b>", "2027-02-15": "-- second"}.items():
        page.fill("#asof [name=day]", day)
        page.select_option("#asof [name=t]", "prod")
        assert page.locator("#schema").inner_text().rstrip().endswith(last)
        assert "as run 0000aaaa left it" in page.locator("#schema-said").inner_text()
    page.fill("#asof [name=day]", "2026-12-31")
    assert "is not known" in page.locator("#schema-said").inner_text()
    assert said == []
    assert page.locator("a[href^=javascript]").count() == 0
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 390)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, tmp_path: Path, place: Path, scheme: str, width: int
) -> None:
    named = replace(ROW, target="tenants/customer-17")
    every = [*rows()[:5], named]
    few = index_page(every, as_differences([]), ["a fault"], here=frozenset(), project="shop")
    path = tmp_path / "few.html"
    path.write_text(few, encoding="utf-8")
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page.goto(path.as_uri())
    unfold(page)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lines = page.locator("td", has_text="tenants/customer-17").evaluate(LINES)
    assert lines == 1
    page.close()
    assert place.stat().st_size < 1_500_000
