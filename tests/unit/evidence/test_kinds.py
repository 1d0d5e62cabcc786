"""What is alike is told once with a count, and what follows from something else below it."""

from __future__ import annotations

from dataclasses import replace

from pytest_housekeeping.evidence.kinds import EACH, causes_of, kinds_of
from pytest_housekeeping.evidence.report import html
from pytest_housekeeping.evidence.report.github import step_summary
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.model import Finding, Level, Outcome, StepResult
from pytest_housekeeping.plugin.items import GateFailed
from support.evidence_samples import passed, sample, steps


def found(rule: str, object: str, **other: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=object, detail="why", fix="DO;", **other)


def told(findings: list[Finding]) -> list[Finding]:
    return [
        replace(each, because=cause)
        for each, cause in zip(findings, causes_of(findings), strict=True)
    ]


def test_seven_hundred_of_three_kinds_are_three() -> None:
    tables = [f"desk.t{n}" for n in range(233)]
    findings = [
        found(rule, table)
        for rule in ("rls-not-forced", "privilege-public", "rls-no-policy")
        for table in tables
    ]
    kinds = kinds_of(told([*findings, found("rls-not-forced", "desk.last")]))
    assert [(kind.rule, len(kind.findings)) for kind in kinds] == [
        ("rls-not-forced", 234),
        ("privilege-public", 233),
        ("rls-no-policy", 233),
    ]
    record = sample(results=(passed(steps()[0], findings=tuple(findings)),))
    assert [(each.rule, each.count) for each in record.finding_kinds] == [
        ("rls-not-forced", 233),
        ("privilege-public", 233),
        ("rls-no-policy", 233),
    ]
    text = "\n".join(terminal_summary(record))
    assert text.count("error: ") == 3
    assert "233 of this kind" in text
    assert "on: desk.t0, desk.t1, " in text
    assert "desk.t200" not in text
    for shown in (html.summary_html(record), step_summary(record)):
        assert "699 findings" in shown
        assert shown.count("why") < 20
    assert "desk.t200" in html.summary_html(record)


def test_what_was_seen_of_each_is_told_where_it_differs() -> None:
    findings = [
        replace(found("rollback-destroys", f"table desk.t{n}"), detail=f"with {n} rows", fix="")
        for n in range(EACH + 1)
    ]
    (kind,) = kinds_of(findings)
    assert kind.each == tuple(f"table desk.t{n}: with {n} rows" for n in range(EACH + 1))
    record = sample(results=(passed(steps()[0], findings=tuple(findings)),))
    shown = html.summary_html(record)
    assert "table desk.t3: with 3 rows" in shown
    assert f"</code>: with 0 rows; and {EACH} more of this kind" in shown
    assert f"`: `with 0 rows`; and {EACH} more of this kind |" in step_summary(record)
    assert "<summary>0 fixes" not in shown
    assert ">Fix</summary>" not in shown


def test_few_of_a_kind_are_told_in_full() -> None:
    (kind,) = kinds_of([found("rls-not-forced", f"desk.t{n}") for n in range(EACH)])
    assert kind.in_full == kind.findings


def test_what_differs_from_production_is_told_of_each() -> None:
    findings = [
        replace(found("baseline", f"table desk.t{n}"), detail=f"column c{n}: null", fix="bring it")
        for n in range(25)
    ]
    for many, left in ((5, 0), (25, 5)):
        record = sample(results=(passed(steps()[0], findings=tuple(findings[:many])),))
        failed = passed(steps()[0], findings=tuple(findings[:many]))
        text = "\n".join(terminal_summary(record))
        assert text.count("fix: bring it") == 1
        for shown in (text, str(GateFailed(failed)), step_summary(record)):
            assert sum(f"c{n}: null" in shown for n in range(many)) == many - left
            assert ("5 more" in shown) == bool(left)


def test_one_cause_is_one_finding() -> None:
    findings = told(
        [
            found("identity-isolated", "desk.note"),
            found("context-required", "desk.note"),
            found("policy-for-public", "x ON desk.note"),
            found("policy-always-true", "x ON desk.note"),
            found("context-required", "desk.other"),
        ]
    )
    assert [each.because for each in findings] == [
        "policy-always-true x ON desk.note",
        "policy-always-true x ON desk.note",
        "policy-always-true x ON desk.note",
        "",
        "",
    ]
    kinds = {kind.rule: kind for kind in kinds_of(findings)}
    assert kinds.keys() == {"policy-always-true", "context-required"}
    assert len(kinds["policy-always-true"].below) == 3
    assert kinds["context-required"].objects == ("desk.other",)


def test_a_chain_of_causes_leads_to_the_first() -> None:
    findings = told(
        [
            found("policy-differs", "own ON desk.note"),
            found("policy-always-true", "own ON desk.note"),
            found("identity-isolated", "desk.note"),
        ]
    )
    (kind,) = kinds_of(findings)
    assert (kind.rule, len(kind.below)) == ("policy-differs", 2)


def test_a_role_that_nothing_binds_is_the_cause_of_what_it_reaches() -> None:
    findings = told(
        [
            found("role-bypasses-rls", "desk_app"),
            *(found("identity-isolated", f"desk.t{n}", role="desk_app") for n in range(9)),
            found("identity-isolated", "desk.t1", role="other_app"),
        ]
    )
    kinds = kinds_of(findings)
    assert [(kind.rule, len(kind.findings), len(kind.below)) for kind in kinds] == [
        ("role-bypasses-rls", 1, 9),
        ("identity-isolated", 1, 0),
    ]


def test_what_a_check_says_of_the_cause_counts_where_it_is_found() -> None:
    cause = found("boundary-membership", "shop_app")
    follows = found(
        "boundary-table-privilege", "office.paper", because="boundary-membership shop_app"
    )
    assert [each.because for each in told([cause, follows])] == ["", follows.because]
    assert [each.because for each in told([follows])] == [""]


def test_a_graver_finding_follows_from_no_lesser_one() -> None:
    lesser = replace(found("policy-always-true", "x ON desk.note"), level=Level.WARNING)
    assert told([lesser, found("identity-isolated", "desk.note")])[1].because == ""


def test_a_failed_item_tells_each_kind_once() -> None:
    findings = tuple(found("rls-not-forced", f"desk.t{n}") for n in range(700))
    text = str(GateFailed(StepResult(step=steps()[0], outcome=Outcome.FAILED, findings=findings)))
    assert text.count("[error]") == 1
    assert "and 699 more of this kind: desk.t1, " in text
