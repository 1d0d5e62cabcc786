"""What reports open with, how access and time are told, and how large a page and a comment are."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.model.batch import AccessRecord
from pytest_housekeeping.evidence.model.bound import BoundRecord
from pytest_housekeeping.evidence.report.access_matrix import access_matrix
from pytest_housekeeping.evidence.report.beside import NOTHING_BESIDE, Beside
from pytest_housekeeping.evidence.report.github import step_summary
from pytest_housekeeping.evidence.report.html import summary_html
from pytest_housekeeping.evidence.report.opening import (
    applied_files,
    files_title,
    opening,
    web_address,
)
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.evidence.report.timeline import timeline
from pytest_housekeeping.evidence.report.wording import outcome_text, outcome_word
from pytest_housekeeping.evidence.run_entry import entry_of
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, RunOutcome, StepResult
from pytest_housekeeping.postgres.batch_facts import ObjectChange
from support.evidence_samples import DOES, RLS, START, TARGET, facts, failed_sample, passed, sample
from support.report_page import DIFFERENCE, SQL, large_audit, rich_audit, write_page

URL = "https://git.example.org/team/shop"


def linked() -> Audit:
    audit = sample(batch=[DOES], locks_held_s=0.02)
    change = {"url": URL, "change_url": f"{URL}/pull/7"}
    return audit.model_copy(update={"source": audit.source.model_copy(update=change)})


def test_every_report_opens_with_who_and_what_and_leads_on() -> None:
    audit = linked()
    names = [each.name for each in opening(audit)]
    assert names == ["target", "run by", "commit", "request", "workflow", "run", "held"]
    page, summary = summary_html(audit), step_summary(audit)
    for place in (f"{URL}/commit/{'c' * 40}", f"{URL}/pull/7", "https://ci.example.org/runs/1"):
        assert f'href="{place}"' in page
        assert f"]({place})" in summary
        assert place in "\n".join(terminal_summary(audit))
    for text in (page, summary, "\n".join(terminal_summary(audit))):
        files = text.index("file applied") if "file applied" in text else 0
        assert text.index("venture on db.example.org:5432") < files
        assert text.index("strong locks for 20 ms") < text.index("precheck")


def test_every_report_opens_with_how_much_was_shown_before_and_since_when() -> None:
    audit = sample()
    earliest = ["2027-01-02 03:04 UTC", "2027-01-02 03:05 UTC"]
    steps = [
        step.model_copy(update={"shown_at": then})
        for step, then in zip(audit.steps, [*reversed(earliest), ""], strict=False)
    ]
    known = audit.model_copy(update={"steps": (*steps, *audit.steps[3:])})
    for told in (summary_html, step_summary, lambda each: "\n".join(terminal_summary(each))):
        assert f"2 proofs shown at {earliest[0]}" in told(known)
        assert "proofs shown at" not in told(audit)


def test_the_plan_is_gone_through_as_often_for_many_files_as_for_few() -> None:
    passes = []

    class Counted(tuple[Any, ...]):
        __slots__ = ()

        def __iter__(self) -> Any:
            passes.append(self)
            return super().__iter__()

    def looked(audit: Audit) -> int:
        rehearsed = {"phase": Phase.REHEARSE, "kind": Kind.REHEARSAL}
        steps = tuple(step.model_copy(update=rehearsed) for step in audit.steps)
        plan = audit.plan.model_copy(update={"steps": Counted(audit.plan.steps)})
        passes.clear()
        assert applied_files(audit.model_copy(update={"plan": plan, "steps": steps}))
        return len(passes)

    few = sample()
    many = few.model_copy(update={"steps": few.steps * 9})
    assert looked(many) == looked(few)


def test_a_place_in_a_file_keeps_its_lines() -> None:
    place = "   1 | SELECT <b>\n     |        ^"
    finding = replace(RLS, detail=f"fails when it is applied again:\n{place}")
    step = facts().steps[2]
    failed = StepResult(step=step, outcome=Outcome.FAILED, duration_s=0.2, findings=(finding,))
    page = summary_html(sample(RunOutcome.ROLLED_BACK, results=(failed,)))
    assert f"fails when it is applied again:<pre>{escape(place)}</pre>" in page


@pytest.mark.parametrize("mode", [Mode.STAGING, Mode.PLAN, Mode.PROD])
def test_files_that_did_not_run_are_said_to_have_run_nowhere(mode: Mode) -> None:
    refused, failed = sample(RunOutcome.REFUSED, mode, ()), failed_sample(mode)
    assert files_title(refused) == "1 file pending, none of them run"
    assert "none of them run" not in files_title(failed)
    for text in (summary_html(refused), step_summary(refused)):
        assert "1 file pending, none of them run" in text


def in_part() -> Audit:
    """Of two segments the first is in."""
    known = facts(segments=2)
    precheck, first, second, check, last = known.steps
    once = replace(last, id="promote[1/2]", segment=1)
    ended = [passed(each) for each in (precheck, first, second, once)]
    changes = (
        ObjectChange(object="venture.first", kind="table", change="made"),
        ObjectChange(object="venture.second", kind="table", change="made"),
    )
    batch = [
        replace(DOES, segment=number, changes=(change,)) for number, change in enumerate(changes, 1)
    ]
    known = replace(known, steps=(precheck, first, second, check, once, last))
    return make_audit(
        known,
        outcome=RunOutcome.PROMOTED_IN_PART,
        finished_at=START,
        results=[*ended, StepResult(step=check, outcome=Outcome.FAILED, message="no")],
        target=TARGET,
        batch=batch,
    )


def test_of_a_batch_that_is_in_in_part_every_report_says_which_part() -> None:
    audit = in_part()
    lines = "\n".join(terminal_summary(audit))
    assert "  files     1 of 2 files applied: sql/migrations/0001_x.sql\n" in lines
    assert "  rest      1 file not applied: sql/migrations/0002_x.sql\n" in lines
    assert "  objects   1 made; 1 made on the copy alone\n" in lines
    assert "+ table venture.first\n" in lines
    assert "+ table venture.second (not applied)\n" in lines
    assert "--hk-mode=rollback --hk-confirm=ROLLBACK --hk-to=r1" in lines
    page, summary = summary_html(audit), step_summary(audit)
    for text in (page, summary):
        assert "1 of 2 files applied" in text
        assert "1 made; 1 made on the copy alone" in text
    second = "sql/migrations/0002_x.sql"
    assert page.count(">not applied</b>") == 2
    assert page.index(f"<code>{second}</code>") < page.index(">not applied</b>")
    assert re.search(r"0001_x.sql[^\n]*: passed, 0 statements", summary)
    assert re.search(r"0002_x.sql[^\n]*: passed, not applied, 0 statements", summary)


def test_the_index_calls_applied_what_is_in_and_nothing_else() -> None:
    entry = entry_of(in_part(), ())
    assert [(each.path[-10:], each.is_in) for each in entry.files] == [
        ("0001_x.sql", True),
        ("0002_x.sql", False),
    ]
    assert [each.told for each in entry.objects] == [
        "made table venture.first",
        "made table venture.second (on the copy)",
    ]


@pytest.mark.parametrize(
    ("mode", "outcome", "said"),
    [
        (Mode.PROD, RunOutcome.PROMOTED, "1 made, 1 changed"),
        (Mode.PROD, RunOutcome.PROMOTED_UNPROVED, "1 made, 1 changed"),
        (Mode.PLAN, RunOutcome.PLANNED, "1 made, 1 changed on the copy alone"),
        (Mode.PROD, RunOutcome.ROLLED_BACK, "1 made, 1 changed on the copy alone"),
        (Mode.PROD, RunOutcome.REFUSED, "1 made, 1 changed on the copy alone"),
        (
            Mode.PROD,
            RunOutcome.UNKNOWN,
            "1 made, 1 changed on the copy; whether it is in is not known",
        ),
    ],
)
def test_objects_are_made_where_the_batch_is_in_and_else_on_the_copy_alone(
    mode: Mode, outcome: RunOutcome, said: str
) -> None:
    is_in = said == "1 made, 1 changed"
    audit = sample(outcome, mode, None if is_in else (), batch=[DOES])
    assert f"  objects   {said}\n" in "\n".join(terminal_summary(audit))
    assert said in summary_html(audit)
    assert said in step_summary(audit)


def test_a_promotion_says_whether_it_was_bound_to_a_plan() -> None:
    bound = BoundRecord(digest="ab12" * 20, planned=False)
    free = sample(batch=[DOES]).model_copy(update={"bound": bound})
    held = free.model_copy(update={"bound": bound.model_copy(update={"planned": True})})
    for report in (summary_html, step_summary, lambda audit: "\n".join(terminal_summary(audit))):
        assert "not bound to a plan" in report(free)
        assert "exactly so: ab12ab12ab12" in report(held)
        assert "bound to" not in report(held)
    # Of one that was refused nobody knows whether it was held against a plan: the step says so.
    refused = failed_sample().model_copy(update={"bound": bound})
    assert "bound to" not in "\n".join(terminal_summary(refused))


@pytest.mark.parametrize("mode", [Mode.PROD, Mode.ROLLBACK])
@pytest.mark.parametrize("outcome", RunOutcome)
def test_what_becomes_of_the_audit_is_said_once_and_without_an_if(
    mode: Mode, outcome: RunOutcome
) -> None:
    merged = [
        each for each in outcome_text(sample(outcome, mode)).next_steps if "merge" in each.lower()
    ]
    assert len(merged) == 1
    undone = outcome in (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED)
    assert merged[0].startswith("There is nothing to merge") is undone


def test_promoted_is_called_what_has_changed_production_alone() -> None:
    for mode in (Mode.STAGING, Mode.ROLLBACK):
        assert "promoted" not in {outcome_word(mode, outcome) for outcome in RunOutcome}
    assert outcome_word(Mode.PROD, RunOutcome.PROMOTED) == "promoted"
    assert outcome_word(Mode.STAGING, RunOutcome.PROMOTED) == "proved"
    assert outcome_word(Mode.STAGING, RunOutcome.PROMOTED_IN_PART) == "not proved"
    assert outcome_word(Mode.VERIFY, RunOutcome.ROLLED_BACK) == "found something wrong"


def test_files_of_a_baseline_are_recorded_and_not_applied() -> None:
    audit = sample(RunOutcome.PROMOTED, Mode.PROD)
    assert files_title(audit) == "1 file applied"
    shown = audit.plan.steps[0].model_copy(update={"id": "precheck::baseline"})
    plan = audit.plan.model_copy(update={"steps": (shown, *audit.plan.steps)})
    baseline = audit.model_copy(update={"plan": plan})
    assert files_title(baseline) == "1 file recorded, none of them run"
    # What could not be undone one by one is said once.
    (said,) = baseline.way_back
    assert said.startswith("none: what a baseline records was there before it")
    assert entry_of(baseline, ()).way_back == (said,)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://a b",
        'https://x.example.org/"><b>',
        "//x",
        "data:text/html,x",
    ],
)
def test_no_other_text_becomes_a_link(url: str) -> None:
    assert web_address(url) == ""
    audit = linked()
    source = audit.source.model_copy(update={"url": url, "change_url": url})
    audit = audit.model_copy(update={"source": source})
    assert url not in [each.url for each in opening(audit)]


def test_the_sql_and_the_difference_stand_in_page_and_pull_request() -> None:
    audit = linked()
    beside = Beside(texts={step.sha256: SQL for step in audit.plan.steps}, difference=DIFFERENCE)
    summary, page = step_summary(audit, beside), summary_html(audit, beside)
    assert f"```sql\n{SQL}```" in summary
    assert "```diff\n@@ -1,2 +1,3 @@ TABLE venture.country\n" in summary
    assert SQL in page
    assert "<ins>+    region text,</ins>" in page
    assert "<del>-    &lt;b&gt;old&lt;/b&gt; text</del>" in page


class Counted(dict[str, str]):
    """Texts, and how many of them were asked for."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


def test_a_text_that_no_page_shows_is_not_asked_for() -> None:
    audit = linked()
    (applied,) = [step for step in audit.plan.steps if step.sha256]
    step, file = next(each for each in audit.steps if each.id == applied.id), "x" * 90_000
    many = range(30)
    plan = [applied.model_copy(update={"id": f"{n}", "sha256": f"{n}"}) for n in many]
    steps = [step.model_copy(update={"id": f"{n}", "sha256": f"{n}"}) for n in many]
    planned = audit.plan.model_copy(update={"steps": plan})
    texts = Counted({f"{n}": file for n in many})
    summary_html(audit.model_copy(update={"plan": planned, "steps": steps}), Beside(texts=texts))
    assert texts.asked == 7


def test_the_matrix_marks_what_changes() -> None:
    changed = AccessRecord(role="app", relation="s.t", commands="DELETE, SELECT", after="all rows")
    kept = AccessRecord(
        role="app", relation="s.t", commands="INSERT", before="all rows", after="all rows"
    )
    matrix = access_matrix([changed], [kept])
    assert matrix.commands == ("SELECT", "INSERT", "DELETE")
    (row,) = matrix.rows
    assert {name: cell.changed for name, cell in row.cells.items()} == {
        "DELETE": True,
        "SELECT": True,
        "INSERT": False,
    }


def test_locks_are_held_in_the_phases_before_commit_alone() -> None:
    spans = timeline(sample(locks_held_s=0.02))
    held = {span.count.phase: span.locked_s > 0 for span in spans}
    assert held == {"precheck": False, "apply": False, "verify": True, "promote": True}
    assert sum(span.locked_s for span in spans) == pytest.approx(0.02, abs=0.001)
    assert not any(span.locked_s for span in timeline(sample()))
    assert timeline(sample(locks_held_s=60))[0].locked_s == 0


def test_findings_are_told_as_new_fixed_and_standing() -> None:
    audit, beside = rich_audit()
    page, summary = summary_html(audit, beside), step_summary(audit, beside)
    lines = "\n".join(terminal_summary(audit))
    assert "2 new, 1 fixed, 1 standing, 1 exempt" in lines
    assert "fixed: undeclared venture.gone" in lines
    for text in (page, summary):
        for said in ("venture.gone", "public reference data, until 2027-06-30", "since 2027-01-03"):
            assert said in text
    order = [page.index(f"<h3>{part}") for part in ("2 new", "1 fixed", "1 standing")]
    assert order == sorted(order)


def test_what_is_large_stays_small(tmp_path: Path) -> None:
    """A watch of three hundred steps, and ten thousand findings."""
    usual, large = large_audit(300, 0), large_audit(1, 10_000)
    assert write_page(usual, NOTHING_BESIDE, tmp_path).stat().st_size < 150_000
    assert len(gzip.compress(to_json(usual).encode())) < 100_000
    assert len(step_summary(large)) < 65_536
    assert len(terminal_summary(large)) < 120


def test_a_phase_of_which_nothing_ran_is_not_drawn_as_good() -> None:
    drawn = summary_html(failed_sample())
    bar = r'<th scope="row">(\w+)</th>\s*<td class="hk-bar"[^>]*><i class="hk-(\w+)"'
    bars = dict(re.findall(bar, drawn))
    assert bars == {"precheck": "good", "apply": "good", "verify": "bad", "promote": "none"}
