"""The comment of a plan: bounded, nothing but text in it, and nothing that is not everybody's."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.model.batch import (
    AppliedNowRecord,
    ProductionNowRecord,
    RelationNowRecord,
    WayBackRecord,
)
from pytest_housekeeping.evidence.report.plan_comment import (
    Posted,
    no_plan,
    plan_comment,
    superseded,
    unplanned,
)
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Mode,
    Outcome,
    Phase,
    RunOutcome,
    ServerMessage,
    Step,
    StepResult,
)
from pytest_housekeeping.postgres.batch_facts import BatchFacts, StepMessage
from support.evidence_samples import DOES, RLS, TARGET, passed, sample
from support.markdown_page import TOKENS, Page

OLD, NEW = "a" * 40, "b" * 40
DIGEST = f"{'1' * 64}-{'2' * 60}"


def planned(**changes: object) -> Audit:
    """A plan of one segment that can be promoted."""
    audit = sample(RunOutcome.PLANNED, Mode.PLAN, batch=[DOES])
    bound = audit.bound.model_copy(update={"digest": DIGEST})
    return audit.model_copy(update={"bound": bound, **changes})


def named(evil: str) -> Audit:
    """A plan in which everything that anybody else may name is named so."""
    finding = Finding(rule=evil, level=Level.ERROR, object=evil, detail=evil, fix=evil)
    failed = [
        passed(
            Step(id=evil + end, phase=Phase.REHEARSE, kind=kind, path=evil),
            outcome=Outcome.FAILED,
            message=evil,
            findings=(finding,),
        )
        for end, kind in (("1", Kind.RLS), ("2", Kind.REHEARSAL))
    ]
    facts = replace(
        DOES,
        changes=tuple(
            replace(each, object=evil, kind=evil, before=evil, after=f"{evil}\n{evil}")
            for each in DOES.changes
        ),
        locks=tuple(replace(each, relation=evil, step=evil) for each in DOES.locks),
        destroyed=tuple(replace(e, object=evil, relation=evil, kind=evil) for e in DOES.destroyed),
        access=tuple(replace(e, role=evil, relation=evil, after=evil) for e in DOES.access),
        messages=(StepMessage(step=evil, message=ServerMessage(level=evil, text=evil)),),
        coverage=replace(DOES.coverage, unjudged=(evil,)),
    )
    audit = sample(RunOutcome.REFUSED, Mode.PLAN, tuple(failed), batch=[facts], message=evil)
    assert audit.target is not None
    return audit.model_copy(
        update={
            "run": audit.run.model_copy(update={"ci_url": f"https://ci.example.org/a b{evil}"}),
            "source": audit.source.model_copy(update={"commit": evil, "branch": evil}),
            "target": audit.target.model_copy(update={"host": evil, "server_version": evil}),
            "production": ProductionNowRecord(
                applied=(
                    AppliedNowRecord(path=evil, kind=evil, run=evil, commit=evil, at=evil, by=evil),
                ),
                way_back=(WayBackRecord(path=evil, how="none", said=evil),),
                drift=evil,
            ),
        }
    )


def texts_with(evil: str) -> list[str]:
    audit = named(evil)
    both = [plan_comment(audit, OLD, private=private) for private in (True, False)]
    return [*both, *(superseded(each, NEW) for each in both), unplanned([evil], known=True)]


@cache
def harmless() -> list[Page]:
    return [Page(each) for each in texts_with("harmless")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6).map("".join))
def test_no_name_is_markup_a_mention_a_link_or_a_command(evil: str) -> None:
    for text, known in zip(texts_with(evil), harmless(), strict=True):
        page = Page(text)
        assert page.tags <= known.tags
        assert page.comments == known.comments
        assert set(page.links) <= {None}, page.links
        # Where a name belongs there is code or nothing: the prose is that of any other plan.
        assert page.prose.split() == known.prose.split()
        assert not re.search(r"^\s*::|##\[", text, re.MULTILINE)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u202a-\u202e]", text)


def test_the_parser_of_these_tests_would_see_it() -> None:
    for token in ("@team", "#123", "<img src=x>", "[a](https://evil.example)", "www.evil.example"):
        page = Page(f"- {token}")
        assert page.links or "img" in page.tags or token in page.prose


@pytest.mark.parametrize(
    ("name", "private"),
    [("s.{}", True), ("s.{}", False), ("😀{}" * 40, True), ("`|<!--@a#1{}" * 30, False)],
)
def test_a_comment_is_never_too_long_and_cut_between_entries(name: str, private: bool) -> None:
    changes = tuple(
        replace(DOES.changes[0], object=name.replace("{}", str(number)), after="type: t" * 90)
        for number in range(1500)
    )
    locks = tuple(
        replace(DOES.locks[1], relation=name.replace("{}", str(number))) for number in range(1500)
    )
    facts = replace(DOES, changes=changes, locks=locks)
    audit = sample(RunOutcome.PLANNED, Mode.PLAN, batch=[facts])
    text = plan_comment(audit, OLD, private=private)
    for each in (text, superseded(superseded(text, NEW), "c" * 40)):
        assert len(each.encode("utf-16-le")) // 2 <= len(each.encode()) < 65_536
    assert len(text.encode()) > 55_000, "what fits is told"
    objects = text.partition("### Objects\n")[2].partition("###")[0]
    shown = re.findall(r"^- (`+) ?~ column .+\1$", objects, re.MULTILINE)
    rest = "in `plan_20270102T030405Z_r1.html`" if private else "`pytest --hk-mode=plan`"
    (more,) = re.findall(rf"^… and ([\d,]+) more: {rest}\.$", objects, re.MULTILINE)
    assert len(shown) + int(more.replace(",", "")) == 1500
    assert "### Data destroyed\n\n- `column venture.person.note is dropped`\n\n#" in text
    assert Page(text).comments == [f" pytest-housekeeping: plan of {OLD} "]


def test_a_head_is_short_whatever_stands_in_it() -> None:
    """Names without end cost the lists, never the limit."""
    for text in texts_with("😀`<" * 15_000):
        assert len(text.encode()) < 65_536


def test_it_says_of_what_it_is_and_how_to_promote_exactly_that() -> None:
    now = ProductionNowRecord(drift="d" * 64)
    plan = planned().plan.model_copy(update={"segments": 3})
    text = plan_comment(planned(production=now, plan=plan), OLD, private=True)
    assert Posted(number=1, body=text).commit == OLD
    for said in (
        f"- commit: `{OLD}`\n- tried as: `{'c' * 40}`, what its merge makes\n",
        f"- digest: `{DIGEST}`\n",
        "- production: `db.example.org:5432/venture`, PostgreSQL `16.4`\n",
        "Production has drifted: look at that before you accept it. Once it is merged",
        "```text\ngh workflow run housekeeping-prod-promotion.yml -f confirm=PROMOTE -f plan=1111",
        f" -f plan={DIGEST} -f segments=3 -f accept_drift={'d' * 64}\n```\n",
        "```text\npytest --hk-mode=prod --hk-confirm=PROMOTE --hk-plan=1111",
        f" --hk-plan={DIGEST} --hk-segments=3 --hk-accept-drift={'d' * 64}\n```\n",
        "the artifact of [the run](https://ci.example.org/runs/1).",
    ):
        assert said in text
    assert "tried as" not in plan_comment(planned(), "c" * 40)
    other = plan_comment(planned(), OLD, private=True, project="services/shop")
    assert "gh workflow run housekeeping-prod-promotion-services-shop.yml -f" in other


def test_what_cannot_be_promoted_has_no_command() -> None:
    failed = passed(
        planned_step(), outcome=Outcome.FAILED, message="no\nDETAIL: x", findings=(RLS,)
    )
    text = plan_comment(sample(RunOutcome.REFUSED, Mode.PLAN, (failed,)), OLD, private=True)
    assert "## ❌ Cannot be promoted like this" in text
    assert "### 1 step failed\n\n`rehearse::result`\n\n```text\nno\nDETAIL: x\n```" in text
    assert f"- error: `{RLS.rule}`, `{RLS.object}`, `{RLS.detail}`; fix: `{RLS.fix}`" in text
    assert "--hk-plan" not in text
    assert "Promote exactly this" not in text


def test_of_another_target_it_is_named_with_its_word() -> None:
    audit = planned(production=ProductionNowRecord(confirm="PREPROD"))
    run = audit.run.model_copy(update={"target": "preprod"})
    text = plan_comment(audit.model_copy(update={"run": run}), OLD, private=True)
    for said in (
        "promotion.yml -f confirm=PREPROD -f target=preprod -f plan=1111",
        "pytest --hk-mode=prod --hk-confirm=PREPROD --hk-target=preprod --hk-plan=1111",
    ):
        assert said in text


def planned_step(kind: Kind = Kind.REHEARSAL, name: str = "rehearse::result") -> Step:
    return Step(id=name, phase=Phase.REHEARSE, kind=kind)


# --- what everybody may read

LEAKS = (
    TARGET.host,
    TARGET.system_identifier,
    "promoter",
    "the-db",
    "5432",
    "1,234,567",
    "key=42",
    "4711",
    "ada",
)


def telling_results(said: str) -> tuple[StepResult, ...]:
    rows = replace(RLS, rule="rows-refuse", object="venture.orders.total", detail=said, fix=said)
    change = replace(RLS, rule="column-dropped", detail=said, fix="drop it later")
    activity = replace(RLS, rule="long-transaction", object="process 4711 of ada", detail=said)
    drift = replace(RLS, rule="drift", object="index venture.by_hand at key=42", detail=said)
    return (
        passed(planned_step(Kind.PRECHECK, "precheck::drift"), findings=(drift,), message=said),
        passed(planned_step(name="rehearse::rows"), findings=(rows,), message=said),
        passed(planned_step(name="rehearse::changes"), findings=(change,), message=said),
        passed(
            planned_step(name="rehearse::activity"),
            outcome=Outcome.FAILED,
            findings=(activity,),
            message=said,
        ),
        passed(
            planned_step(name="sql/migrations/0005_bad.sql::rehearse"),
            outcome=Outcome.FAILED,
            message=f"sql/migrations/0005_bad.sql:3:7: {said}",
        ),
        passed(
            planned_step(Kind.RLS, "checks/rls.toml::x"), outcome=Outcome.FAILED, findings=(RLS,)
        ),
    )


def telling_audit(said: str) -> Audit:
    facts: BatchFacts = replace(
        DOES,
        changes=(
            replace(DOES.changes[0], object="venture", kind="schema", after="owner: promoter"),
        ),
        messages=(StepMessage(step="s", message=ServerMessage(level="NOTICE", text=said)),),
        access=(replace(DOES.access[0], role="promoter"),),
    )
    audit = sample(
        RunOutcome.REFUSED,
        Mode.PLAN,
        telling_results(said),
        batch=[facts],
        message=said,
        target=replace(TARGET, database="the-db"),
    )
    relations = (
        ("venture.orders", 1_234_567, 11 << 30, 12.5),
        ("venture.person", 1_000_000, 3 << 30, 9.0),
    )
    now = ProductionNowRecord(
        relations=tuple(
            RelationNowRecord(relation=name, rows=rows, size=size, writes_per_s=writes)
            for name, rows, size, writes in relations
        ),
        applied=(
            AppliedNowRecord(
                path="p", kind="migration", run="r", commit="c", at="2027", by="promoter"
            ),
        ),
        way_back=(
            WayBackRecord(
                path="sql/migrations/1.sql",
                how="none",
                said=f"as promoter on {TARGET.system_identifier}",
            ),
        ),
    )
    return audit.model_copy(update={"production": now})


TOLD = (
    "`venture.orders (> 1 M rows, > 10 GB, hot): AccessExclusiveLock, readers and writers wait",
    "`column venture.person.note is dropped, where there are > 10 k rows`",
    "- error: `rows-refuse`, `venture.orders.total`\n",
    "- error: `column-dropped`, `venture.orders`; fix: `drop it later`\n",
    "- error: `long-transaction`\n",
    "- error: `drift`\n",
    f"- error: `{RLS.rule}`, `{RLS.object}`, `{RLS.detail}`; fix: `{RLS.fix}`",
    "`sql/migrations/0005_bad.sql::rehearse`\n\n```text\nsql/migrations/0005_bad.sql:3:7\n```",
    "`rehearse::activity`\n\nwhy is not told here",
    "`… on venture.orders: SELECT: nothing → all rows`",
    "- applied: 1 file\n",
    "so classes stand in the place of production's numbers. What is not told",
)


def test_nothing_of_production_is_told_to_everybody_but_classes() -> None:
    where = "at db.example.org:5432/the-db as promoter"
    audit = telling_audit(f'{where}, "the-db" with 1,234,567 rows, key=42')
    private, public = plan_comment(audit, OLD, private=True), plan_comment(audit, OLD)
    assert [leak for leak in LEAKS if leak not in private] == [], "it would be seen"
    assert [leak for leak in LEAKS if leak in public] == []
    assert [told for told in TOLD if told not in public] == []


@pytest.mark.parametrize(
    ("rows", "size", "writes", "told"),
    [
        (None, None, None, "rows that nobody has counted"),
        (0, 8192, 0.0, "no rows"),
        (10_000, 1 << 30, 9.9, "few rows"),
        (10_001, (1 << 30) + 1, 10.0, "> 10 k rows, > 1 GB, hot"),
        (1_000_001, (10 << 30) + 1, 0.0, "> 1 M rows, > 10 GB"),
        (100_000_001, (100 << 30) + 1, 5e9, "> 100 M rows, > 100 GB, hot"),
    ],
)
def test_the_classes(rows: int | None, size: int | None, writes: float | None, told: str) -> None:
    relation = RelationNowRecord(
        relation="venture.orders", rows=rows, size=size, writes_per_s=writes
    )
    text = plan_comment(planned(production=ProductionNowRecord(relations=(relation,))), OLD)
    assert f"`venture.orders ({told}): " in text


# --- the life of a comment


def test_a_superseded_comment_says_so_once_and_is_found_again() -> None:
    body = plan_comment(planned(), OLD)
    once = superseded(body, NEW)
    assert Posted(number=1, body=once).commit == OLD
    assert f"**Superseded.** This is the plan of `{OLD[:12]}`; the pull request is at `bbb" in once
    again = superseded(once.replace("\n", "\r\n"), "c" * 40)
    assert again.count("Superseded") == 1
    assert "is at `cccccccccccc` now" in again
    assert again.endswith(body.partition("-->\n\n")[2])


@pytest.mark.parametrize("private", [True, False])
def test_a_run_without_a_record_is_no_plan(private: bool) -> None:
    text = no_plan(OLD, "https://ci.example.org/runs/1", private=private)
    assert Posted(number=1, body=text).commit == OLD
    assert "## ❌ No plan could be made" in text
    assert ("in the log of [the run](https://ci.example.org/runs/1)" in text) is private


def test_of_a_fork_it_is_said_that_nobody_has_looked() -> None:
    text = unplanned(["sql/migrations/1.sql: not applied"], known=True)
    for said in (
        "Not planned",
        "nothing was asked of production: **nobody has looked",
        "by the evidence of this repository: 1 file\n\n- `sql/migrations/1.sql: not applied`\n",
    ):
        assert said in text
    assert "No promotion is on record in this repository" in unplanned([], known=False)
    assert Posted(number=1, body=text).commit == ""
    assert len(unplanned(["😀" * 400] * 5000, known=True).encode()) < 65_536
