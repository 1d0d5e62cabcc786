"""How a run ended, in one object: its form is published, and it says what is to be done next."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace

import jsonschema
import pytest

from pytest_housekeeping.evidence.finished import (
    MOST_TOLD,
    EvidenceTold,
    Finished,
    ended_without_record,
    finished,
    finished_schema,
)
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.places import Places
from pytest_housekeeping.evidence.remarks import remarks_of
from pytest_housekeeping.model import Finding, Level, Mode, Outcome, RunOutcome, StepResult
from pytest_housekeeping.plugin.command_options import OPTIONS
from support.evidence_samples import NOTICE, RLS, facts, failed_sample, sample
from support.fresh_copy import ROOT
from support.reference_pages import rows

SCHEMA = ROOT / "docs/finished.schema.json"
EVIDENCE = EvidenceTold(audit="ops/audit/a.json", digest="d" * 64)
EVIL = "\x1b[31m</script>\n::error::x\u2028" + "ü" * 200
# The names of version 1: none of them is ever taken away.
NAMES = {
    "Finished": "schema_version mode exit_code outcome headline meaning message run target evidence"
    " plan steps counts findings findings_left_out said next",
    "RunTold": "id target started_at duration_s tool_version actor ci_url commit branch dirty",
    "DatabaseTold": "host port database server_version",
    "EvidenceTold": "audit report digest branch",
    "StepsTold": "passed failed skipped",
    "CountsTold": "new standing fixed",
    "FindingTold": "rule level object detail fix role step place since fingerprint",
    "PlaceTold": "path line column",
    "NextTold": "command needs_person steps",
}


def told(audit: Audit, exit_code: int = 0) -> Finished:
    remarks = remarks_of(audit, Places(audit, texts=list, text_of=lambda _: None))
    made = finished(audit, remarks, exit_code=exit_code, evidence=EVIDENCE, said=["", "it"])
    jsonschema.Draft202012Validator(finished_schema()).validate(made.model_dump(mode="json"))
    return made


def with_findings(*findings: Finding, outcome: RunOutcome = RunOutcome.ROLLED_BACK) -> Audit:
    step = facts().steps[2]
    result = StepResult(step=step, outcome=Outcome.FAILED, examined=1, findings=findings)
    return sample(outcome, results=(result,))


def test_the_published_schema_is_the_models() -> None:
    if os.environ.get("HK_WRITE_DOCS"):
        SCHEMA.write_text(json.dumps(finished_schema(), indent=2) + "\n", encoding="utf-8")
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == finished_schema()


def test_the_published_names_stay() -> None:
    schema = finished_schema()
    known = {"Finished": schema, **schema["$defs"]}
    for part, names in NAMES.items():
        assert set(names.split()) <= set(known[part]["properties"]), part


def test_an_object_of_a_later_minor_version_fits_the_schema_of_today() -> None:
    document = told(failed_sample()).model_dump(mode="json")
    document["run"]["weather"] = document["weather"] = "fair"
    jsonschema.Draft202012Validator(finished_schema()).validate(document)


def test_the_page_for_agents_names_the_fields_and_options_that_there_are() -> None:
    page = ROOT / "docs/agents.md"
    text = page.read_text(encoding="utf-8")
    fields = [name.strip("`") for name, _ in rows(text.partition("| field |")[2])]
    assert fields
    assert set(fields) <= set(finished_schema()["properties"])
    options = set(re.findall(r"--hk-[\w-]+", text))
    assert options <= {name for name, _ in OPTIONS}


def test_a_failed_run_says_what_failed() -> None:
    made = told(failed_sample(), exit_code=1)
    assert (made.outcome, made.exit_code) == ("rolled_back", 1)
    assert [each.rule for each in made.findings] == [RLS.rule, NOTICE.rule]
    assert made.findings[0].fix == RLS.fix
    assert made.counts.new == 2
    assert (made.steps.passed, made.steps.failed, made.steps.skipped) == (2, 1, 1)
    assert made.said == ("it",)
    assert made.target is not None
    assert "promoter" not in made.model_dump_json()


def test_a_step_that_failed_without_a_finding_counts_and_has_its_fix() -> None:
    known = facts()
    said = (
        "no committed audit proves this plan\n  why: it has to be\n  fix: pytest --hk-mode=staging"
    )
    failed = StepResult(step=known.steps[0], outcome=Outcome.FAILED, message=said)
    made = told(sample(RunOutcome.REFUSED, results=(failed,)), exit_code=1)
    (finding,) = made.findings
    assert (finding.rule, finding.fix) == ("step-failed", "pytest --hk-mode=staging")
    assert finding.detail == "no committed audit proves this plan\n  why: it has to be"
    assert made.counts.new == 1
    # Of several errors in one message each keeps the fix that it has.
    both = replace(failed, message=f"{said}\n{said}")
    (finding,) = told(sample(RunOutcome.REFUSED, results=(both,)), exit_code=1).findings
    assert (finding.detail, finding.fix) == (both.message, "")


def test_what_stands_is_told_where_it_is_an_error() -> None:
    audit = with_findings(RLS, NOTICE, replace(NOTICE, object="venture.other"))
    stood = [
        each.model_copy(update={"since": "2027-01-01T00:00:00Z" if number < 2 else ""})
        for number, each in enumerate(audit.findings)
    ]
    made = told(audit.model_copy(update={"findings": tuple(stood)}), exit_code=1)
    assert [(each.object, bool(each.since)) for each in made.findings] == [
        (RLS.object, True),
        ("venture.other", False),
    ]
    assert (made.counts.new, made.counts.standing) == (1, 2)


def test_of_many_the_gravest_are_told() -> None:
    many = [replace(NOTICE, object=f"venture.t{n}") for n in range(10_000)]
    made = told(with_findings(*many, RLS), exit_code=1)
    assert (len(made.findings), made.findings_left_out) == (MOST_TOLD, 10_001 - MOST_TOLD)
    assert made.findings[0].level is Level.ERROR
    assert made.counts.new == 10_001
    assert len(made.model_dump_json()) < 60_000


def test_no_name_ends_the_line() -> None:
    evil = replace(RLS, rule=EVIL, object=EVIL, detail=EVIL, fix=EVIL, role=EVIL)
    line = json.dumps(told(with_findings(evil), exit_code=1).model_dump(mode="json"))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["findings"][0]["object"] == EVIL


@pytest.mark.parametrize(
    ("mode", "outcome", "code", "command", "person"),
    [
        (Mode.STAGING, RunOutcome.PROMOTED, 0, "pytest --hk-mode=plan", False),
        (Mode.STAGING, RunOutcome.PROMOTED, 1, "pytest --hk-mode=staging", False),
        (Mode.STAGING, RunOutcome.ROLLED_BACK, 1, "pytest --hk-mode=staging", False),
        (Mode.PLAN, RunOutcome.REFUSED, 1, "pytest --hk-mode=staging", False),
        (Mode.PLAN, RunOutcome.NOTHING_TO_PROMOTE, 0, "", False),
        (Mode.PROD, RunOutcome.PROMOTED, 0, "pytest --hk-mode=verify", False),
        (Mode.PROD, RunOutcome.REFUSED, 1, "pytest --hk-mode=plan", True),
        (Mode.PROD, RunOutcome.PROMOTED_UNPROVED, 1, "pytest --hk-mode=verify", True),
        (Mode.PROD, RunOutcome.UNKNOWN, 1, "", True),
        (Mode.VERIFY, RunOutcome.ROLLED_BACK, 1, "pytest --hk-mode=verify", False),
        (Mode.ROLLBACK, RunOutcome.PROMOTED, 0, "pytest --hk-mode=verify", False),
        (Mode.ROLLBACK, RunOutcome.ROLLED_BACK, 1, "", True),
    ],
)
def test_what_comes_next(
    mode: Mode, outcome: RunOutcome, code: int, command: str, person: bool
) -> None:
    made = told(sample(outcome, mode), exit_code=code)
    assert (made.next.command, made.next.needs_person) == (command, person)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("outcome", RunOutcome)
def test_nothing_that_changes_production_comes_next_without_a_person(
    mode: Mode, outcome: RunOutcome
) -> None:
    made = told(sample(outcome, mode), exit_code=1)
    changes = "--hk-mode=prod" in made.next.command or "--hk-mode=rollback" in made.next.command
    assert made.next.needs_person or not changes


def test_a_plan_leads_to_a_promotion_that_a_person_gives() -> None:
    audit = sample(RunOutcome.PLANNED, Mode.PLAN)
    digest = f"{'a' * 64}-00"
    bound = audit.bound.model_copy(update={"digest": digest})
    made = told(audit.model_copy(update={"bound": bound}))
    assert made.next.command.startswith("pytest --hk-mode=prod")
    assert f"--hk-plan={digest}" in made.next.command
    assert made.next.needs_person


@pytest.mark.parametrize("mode", [None, *Mode])
def test_without_a_record_it_says_why(mode: Mode | None) -> None:
    made = ended_without_record("why: it", mode=mode, exit_code=4, outcome=RunOutcome.REFUSED)
    jsonschema.Draft202012Validator(finished_schema()).validate(made.model_dump(mode="json"))
    assert (made.message, made.evidence) == ("why: it", None)
    assert made.headline
