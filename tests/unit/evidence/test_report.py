"""What a person is shown of a run: in words, in order, and with nothing that a page would obey."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_housekeeping.evidence import stem
from pytest_housekeeping.evidence.bound import SecondPerson
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.model.bound import ApprovalRecord, BoundRecord
from pytest_housekeeping.evidence.report import html
from pytest_housekeeping.evidence.report.github import step_summary
from pytest_housekeeping.evidence.report.html_steps import step_tables
from pytest_housekeeping.evidence.report.opening import approval_text
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Lock,
    Mode,
    Outcome,
    Phase,
    RunOutcome,
    Step,
    StepResult,
)
from support.evidence_samples import (
    CONFLICT,
    NOTICE,
    RLS,
    START,
    facts,
    failed_sample,
    passed,
    sample,
    steps,
)
from support.markdown_page import TOKENS
from support.markdown_page import Page as MarkdownPage

EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"' | `x` ``` @team #1 *b* [a](b)\x1b[31m\u202e"
)
ALLOWED = {
    *("style", "main", "section", "div", "h2", "h3", "p", "pre", "ol", "li", "table", "caption"),
    *("thead", "tbody", "tr", "th", "td", "span", "code", "details", "summary", "i", "b", "dl"),
    *("dt", "dd", "a", "ul", "script", "label", "input", "output", "ins", "del"),
}
ATTRIBUTES = {
    *("class", "style", "scope", "open", "href", "rel", "aria-hidden", "aria-label", "aria-live"),
    *("id", "role", "tabindex", "for", "type", "data-hk-in"),
}
# What has no end tag.
_EMPTY = {"input"}


class Page(HTMLParser):
    """The elements, their attributes and the text that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


def page(record: Audit) -> Page:
    shown = Page(html.summary_html(record))
    assert shown.open == []
    return shown


def evil(name: str = EVIL) -> Audit:
    """Everything that a project, a server or an environment may name, named badly."""
    step = Step(id=name, phase=Phase.VERIFY, kind=Kind.TEST, path=name, segment=1)
    finding = Finding(rule=name, level=Level.ERROR, object=name, detail=name, fix=name)
    result = passed(
        step,
        outcome=Outcome.FAILED,
        message=name,
        findings=(finding,),
        locks=(Lock(relation=name, mode=name),),
    )
    record = sample(RunOutcome.UNKNOWN, results=(result,), message=name)
    run = record.run.model_copy(update={"actor": name, "ci_url": f"javascript:{name}", "id": name})
    source = record.source.model_copy(
        update={"branch": name, "dirty": True, "dirty_paths": (name,), "commit": name}
    )
    assert record.target is not None
    target = record.target.model_copy(update={"host": name, "database": name, "user": name})
    return record.model_copy(update={"run": run, "source": source, "target": target})


OUTCOMES = [(mode, outcome) for mode in Mode for outcome in RunOutcome]


@pytest.mark.parametrize(("mode", "outcome"), OUTCOMES, ids=str)
def test_every_outcome_has_words_everywhere(mode: Mode, outcome: RunOutcome) -> None:
    record = sample(outcome, mode)
    headline = html.title(record).partition(" · ")[0]
    assert len(headline) > 4
    assert headline in page(record).text
    assert headline in step_summary(record)
    assert headline in terminal_summary(record)[0]


@pytest.mark.parametrize("mode", list(Mode))
def test_only_what_is_well_looks_well(mode: Mode) -> None:
    good = {RunOutcome.PROMOTED, RunOutcome.NOTHING_TO_PROMOTE, RunOutcome.PLANNED}
    for outcome in RunOutcome:
        expected = outcome in good or (mode is Mode.VERIFY and outcome is RunOutcome.ROLLED_BACK)
        record = sample(outcome, mode)
        assert ('class="hk-verdict hk-good"' in html.summary_html(record)) is expected
        assert ("✅" in step_summary(record)) is expected


def test_verify_is_judged_by_its_failures() -> None:
    assert html.title(sample(RunOutcome.ROLLED_BACK, Mode.VERIFY)).startswith("Verified")
    assert html.title(failed_sample(Mode.VERIFY)).startswith("Production failed a check")


def test_staging_never_sounds_as_if_production_had_changed() -> None:
    for outcome in RunOutcome:
        text = page(sample(outcome, Mode.STAGING)).text
        assert "Promoted" not in text.partition("Phases")[0]


def test_a_failure_shows_what_failed_why_and_the_repair() -> None:
    record = failed_sample()
    shown = page(record).text
    for text in (
        "1 step failed",
        "checks/rls.toml::rls-not-forced",
        "1 of 14 tables breaks rls-not-forced",
        "2 findings",
        RLS.object,
        RLS.detail,
        RLS.fix,
        NOTICE.object,
    ):
        assert text in shown
    lines = terminal_summary(record)
    assert f"    fix: {RLS.fix}" in lines
    assert "  verify    0 passed, 1 failed (200 ms)" in lines
    assert "  1 notice in the report" in lines
    assert lines[-1] == "evidence: ops/audit/prod_20270102T030405Z_r1.json and .html"
    assert terminal_summary(record, "log")[-1].startswith("evidence: log/prod_")
    assert "### 1 step failed" in step_summary(record)


def test_a_failed_step_without_findings_is_told_with_its_message() -> None:
    step = steps()[1]
    result = passed(step, outcome=Outcome.FAILED, message="0001_x.sql:3:7\nERROR: no\n::error::x")
    lines = terminal_summary(sample(RunOutcome.ROLLED_BACK, results=(result,)))
    at = lines.index(f"  failed: {step.id}")
    assert lines[at + 1 : at + 4] == ["  | 0001_x.sql:3:7", "  | ERROR: no", "  | ::error::x"]


def test_the_gravest_finding_comes_first() -> None:
    warning = replace(NOTICE, level=Level.WARNING, object="second")
    findings = (replace(NOTICE, object="third"), warning, replace(RLS, object="first"))
    record = sample(results=(passed(steps()[0], findings=findings),))
    shown = page(record).text
    assert shown.index("first") < shown.index("second") < shown.index("third")


def test_facts_and_locks_are_shown() -> None:
    shown = page(sample(locks_held_s=1.25, previous="f" * 64))
    for text in ("db.example.org:5432", "PostgreSQL 16.4", "c" * 40, "1.2 s", "f" * 64, "ada"):
        assert text in shown.text
    assert "AccessExclusiveLock" in shown.text
    links = [attributes["href"] for tag, attributes in shown.tags if tag == "a"]
    assert links == ["https://ci.example.org/runs/1", "#files", f"{stem(sample().run)}.json"]
    assert "no connection was made" in page(sample(target=None)).text


def test_uncommitted_changes_are_said() -> None:
    record = sample()
    dirty = record.source.model_copy(update={"dirty": True, "dirty_paths": ("sql/a b.sql",)})
    record = record.model_copy(update={"source": dirty})
    assert "uncommitted changes" in page(record).text
    assert "sql/a b.sql" in page(record).text
    assert "uncommitted changes" in step_summary(record)
    assert any("attests no commit" in line for line in terminal_summary(record))
    proved = {
        "run": record.run.model_copy(update={"mode": Mode.STAGING, "outcome": RunOutcome.PROMOTED})
    }
    for source in (dirty, dirty.model_copy(update={"dirty": False, "commit": None})):
        told = terminal_summary(record.model_copy(update=proved | {"source": source}))
        first, second = (line for line in told if line.startswith("next: "))
        assert "attests no commit" in first
        assert "promote" in second


# --- nothing that a page, a renderer or a terminal would obey


def test_html_holds_no_element_of_the_projects_and_loads_nothing() -> None:
    record = evil()
    shown = page(record)
    assert {tag for tag, _ in shown.tags} <= ALLOWED
    names = {name for _, attributes in shown.tags for name in attributes}
    assert names <= ATTRIBUTES
    links = [attributes["href"] or "" for tag, attributes in shown.tags if tag == "a"]
    assert all(link.startswith(("#", "prod_")) for link in links)
    assert "<script>alert(1)</script>" in shown.text
    assert "\\x1b[31m\\u202e" in shown.text
    whole = html.summary_html(record)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", whole)
    assert not re.search(r"url\(|@import|<link|src=", whole.partition("</style>")[0])


def test_rows_hold_no_element_of_the_projects() -> None:
    record = evil()
    table = next(t for t in step_tables(record, {EVIL: EVIL}) if t.name == "verify")
    shown = Page(f"<table>{table.rows}</table>")
    assert {tag for tag, _ in shown.tags} <= {
        *("table", "tr", "td", "th", "p", "details", "summary", "pre")
    }
    assert shown.text.count("<script>alert(1)</script>") == 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6).map("".join))
def test_markdown_holds_the_projects_text_in_code_only(name: str) -> None:
    shown, known = (MarkdownPage(step_summary(evil(each))) for each in (name, "harmless"))
    assert shown.tags <= known.tags
    assert (shown.links, shown.comments, shown.cells) == ([], [], known.cells)
    assert shown.prose.split() == known.prose.split()


def test_a_message_full_of_fences_stays_in_its_block() -> None:
    text = step_summary(sample(message="```\n````\n# out\n`````"))
    assert "``````text\n```\n````\n# out\n`````\n``````" in text


def test_terminal_lines_are_lines_without_commands() -> None:
    record = sample(message="::error::first\n::set-output::x\n##[group]y\x1b[2J")
    lines = terminal_summary(record)
    assert not any("\n" in line or "\x1b" in line or "##[" in line for line in lines)
    assert not any(line.lstrip().startswith("::") for line in lines)
    assert not any("\x1b" in line for line in terminal_summary(evil()))


# --- the tables of all steps


def test_each_step_has_a_row_in_the_table_of_its_phase() -> None:
    record = sample(results=tuple(passed(step, rows=1200) for step in steps()))
    tables = step_tables(record, {})
    assert [table.name for table in tables] == ["precheck", "apply", "verify", "promote"]
    assert tables[1].told == "1 step: 1 passed, 12 ms"
    row = Page(f"<table>{tables[1].rows}</table>").text
    assert row == "passedsql/migrations/0001_x.sql::apply31,20012 ms"
    headings = [a for tag, a in page(record).tags if tag == "th" and a.get("scope") == "col"]
    assert len(headings) > 20


@pytest.mark.parametrize(
    ("phase", "kind", "place"),
    [
        (Phase.REHEARSE, Kind.RLS, "twin"),
        (Phase.REHEARSE, Kind.REHEARSAL, "twin"),
        (Phase.VERIFY, Kind.QUERY, "target"),
        (Phase.APPLY, Kind.MIGRATION, "target"),
        (Phase.BACKUP, Kind.BACKUP, ""),
        (Phase.VERIFY, Kind.LINT, ""),
    ],
)
def test_where_a_step_was_proved_is_told(phase: Phase, kind: Kind, place: str) -> None:
    """In audit and report; an audit of an earlier version is read, and does not say."""
    result = passed(replace(steps()[0], phase=phase, kind=kind))
    record = sample(results=(result,))
    table = next(t for t in step_tables(record, {}) if t.name == phase)
    assert place in (table.place or table.rows)
    assert f"shown on the {table.place}" in page(record).text or not table.place
    assert record.steps[0].proved_on == place
    document = json.loads(record.model_dump_json())
    del document["steps"][0]["proved_on"]
    assert Audit.model_validate_json(json.dumps(document)).steps[0].proved_on == ""


def test_a_row_tells_what_its_columns_do_not() -> None:
    quiet = passed(steps()[0], message="3 objects examined")

    def row(result: StepResult, log: str = "") -> str:
        table = step_tables(sample(results=(result,)), {result.step.id: log})[0]
        return table.rows

    assert "examined" not in row(quiet)
    assert "<p>a &lt; b</p>" in row(replace(quiet, message="a < b"))
    skipped = replace(quiet, outcome=Outcome.SKIPPED, message="blocked by <x>\nmore")
    assert 'class="skipped"' in row(skipped)
    assert "<p>blocked by &lt;x&gt;</p><p>more</p>" in row(skipped)
    assert "<summary>its log</summary><pre>E  boom</pre>" in row(quiet, "E  boom")


# --- size


def many(count: int) -> Audit:
    planned = tuple(
        Step(id=f"sql/{n:05}_x.sql::apply", phase=Phase.APPLY, kind=Kind.MIGRATION, segment=1)
        for n in range(count)
    )
    wide = replace(RLS, detail="<" * 3000, fix="`" * 3000)
    results = [
        passed(step, outcome=Outcome.FAILED, message="<`" * 3000, findings=(wide,))
        for step in planned
    ]
    known = replace(facts(), steps=planned)
    assert known.steps
    return sample(RunOutcome.ROLLED_BACK, results=tuple(results))


def test_five_thousand_failures_stay_readable() -> None:
    record = many(5000)
    text = step_summary(record)
    assert 1000 < len(text) < 65_536
    assert "5,000 steps failed" in text
    assert "more: in the report" in text
    shown = html.summary_html(record)
    assert len(shown) < 12_000_000
    assert "more, in the JSON" in shown
    assert len(terminal_summary(record)) < 120


def test_a_large_good_run_makes_a_small_summary() -> None:
    planned = tuple(
        Step(id=f"sql/{n:05}_x.sql::apply", phase=Phase.APPLY, kind=Kind.MIGRATION, segment=1)
        for n in range(5000)
    )
    record = sample(results=tuple(passed(step) for step in planned))
    assert len(html.summary_html(record)) < 4_000_000


# --- light and dark


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str) -> None:
    """WCAG 2.1 AA, 4.5 to 1: https://www.w3.org/TR/WCAG21/#contrast-minimum"""
    css = Path(html.__file__).with_name("report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", css)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[["light", "dark"].index(scheme)]))
    pairs = [(text, back) for text in ("fg", "soft", "link") for back in ("bg", "card")]
    pairs += [(tone, "bg") for tone in ("good", "bad", "unsure")]
    pairs += [(tone, f"{tone}-bg") for tone in ("good", "bad", "unsure")]
    pairs += [("fg", f"{tone}-bg") for tone in ("good", "bad", "unsure")]
    for text, back in pairs:
        bright, dim = sorted((_luminance(colours[text]), _luminance(colours[back])), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, back)


def test_locks_that_were_met_stand_in_every_report() -> None:
    """How often, what the server said and who was there: as text, whatever a query holds."""
    twice = [CONFLICT, replace(CONFLICT, number=2)]
    record = sample(conflicts=twice)
    said = f"{CONFLICT.step} met a lock 2 times: {CONFLICT.found}"
    lines = terminal_summary(record)
    assert f"  {said}" in lines
    assert sum("in its way: process 4711 nightly" in line for line in lines) == 1
    page = html.summary_html(record)
    assert f"<li>{said}</li>" in page
    assert "&lt;b&gt;1&lt;/b&gt; \\x1b[31m</li>" in page
    assert "met a lock 2 times" in step_summary(record)
    for without in (terminal_summary(sample()), [html.summary_html(sample())]):
        assert not any("met a lock" in line or "Lock conflicts" in line for line in without)


@pytest.mark.parametrize("second", SecondPerson)
def test_who_has_approved_stands_in_every_report(second: SecondPerson) -> None:
    given = ApprovalRecord(approver="ada@example.org", commit="c" * 40, at=START)
    bound = BoundRecord(digest=f"{'a' * 64}-00", second_person=second, approvals=(given,))
    audit = sample().model_copy(update={"bound": bound})
    said = approval_text(bound)
    assert bool(said) is (second is not SecondPerson.UNKNOWN)
    for report in (
        "\n".join(terminal_summary(audit)),
        html.summary_html(audit),
        step_summary(audit),
    ):
        assert ("approved by" in report) is bool(said)
        assert said in unescape(report)
    alone = approval_text(bound.model_copy(update={"approvals": ()}))
    assert "ada@example.org" not in alone
