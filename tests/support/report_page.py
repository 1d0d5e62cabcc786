"""The page of a run as a browser gets it: what pytest-html writes around that of an audit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_html  # type: ignore[import-untyped]
from jinja2 import Environment, FileSystemLoader

from pytest_housekeeping.evidence import stem
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.report.beside import Beside
from pytest_housekeeping.evidence.report.html import finished, summary_html, title
from pytest_housekeeping.model import (
    Finding,
    Kind,
    LetStand,
    Level,
    Outcome,
    Phase,
    RunOutcome,
    Step,
)
from pytest_housekeeping.postgres.batch_facts import AccessChange
from support.evidence_samples import DOES, NOTICE, RLS, START, TARGET, facts, passed

RESOURCES = Path(pytest_html.__file__).with_name("resources")
# Markup, control characters, text that runs backwards, and a word that no line can break.
EVIL = "<script>alert(1)</script>\x1b[31m\u202e" + "W" * 200
RULE = Step(id="checks/rls.toml::rls-not-forced", phase=Phase.VERIFY, kind=Kind.RLS, segment=1)
EXEMPT = replace(RULE, id="checks/rls.toml::exempt rls-not-enabled venture.country")
LET_STAND = LetStand(
    rule="rls-not-enabled",
    object="venture.country",
    reason="public reference data, until 2027-06-30",
)
_OUTCOMES = ["failed", "passed", "skipped", "xfailed", "xpassed", "error", "rerun", "retried"]
# Of no tests: the page has the steps.
_DATA = {"environment": {}, "tests": {}, "renderCollapsed": ["passed"], "initialSort": "original"}
SQL = "-- The region of a country.\nALTER TABLE venture.country ADD COLUMN region text;\n"
DIFFERENCE = (
    "--- before.sql\n+++ after.sql\n@@ -1,2 +1,3 @@ TABLE venture.country\n CREATE TABLE (\n"
    "+    region text,\n-    <b>old</b> text\n"
)


def write_page(audit: Audit, beside: Beside, folder: Path) -> Path:
    """The file, beside that of the audit."""
    shell = Environment(loader=FileSystemLoader(RESOURCES), autoescape=True)
    written = shell.get_template("index.jinja2").render(
        title=title(audit),
        date="02-Jan-2027",
        time="03:04:05",
        version=pytest_html.__version__,
        styles=(RESOURCES / "style.css").read_text(encoding="utf-8"),
        self_contained=True,
        run_count="1 test took 1 ms.",
        running_state="finished",
        outcomes={name: {"label": name, "value": 0} for name in _OUTCOMES},
        test_data=json.dumps(_DATA),
        table_head=["<th>Result</th>"],
        additional_summary={"prefix": [summary_html(audit, beside)], "summary": [], "postfix": []},
    )
    page = folder / f"{stem(audit.run)}.html"
    page.write_text(finished(written), encoding="utf-8")
    page.with_suffix(".json").write_text(to_json(audit), encoding="utf-8")
    return page


def rich_audit() -> tuple[Audit, Beside]:
    """A run with something in each part of the page, named well and badly."""
    other = replace(RLS, object="venture.person")
    evil = Finding(rule=EVIL, level=Level.WARNING, object=EVIL, detail=EVIL, fix=EVIL, leak=EVIL)
    gone = replace(NOTICE, object="venture.gone")
    before = _run(1, [passed(RULE, findings=(RLS, gone))], RunOutcome.ROLLED_BACK)
    whole = facts()
    results = [
        *(
            passed(step, statements=4, rows=12)
            for step in whole.steps
            if step.phase != Phase.VERIFY
        ),
        passed(RULE, findings=(RLS, other, evil), outcome=Outcome.FAILED, message=EVIL),
        passed(EXEMPT, exempted=(LET_STAND,)),
    ]
    kept = AccessChange(
        role="app",
        relation="venture.orders",
        commands="INSERT",
        before="all rows",
        after="all rows",
    )
    audit = _run(
        2,
        results,
        RunOutcome.ROLLED_BACK,
        batch=[replace(DOES, access_kept=(kept,))],
        earlier=([json.loads(to_json(before))], ""),
        locks_held_s=0.02,
        message=EVIL,
    )
    texts = {step.sha256: SQL + EVIL for step in whole.steps if step.path}
    pages = {"rls-not-forced": "# rls-not-forced\n\nThe owner bypasses its policies.\n"}
    logs = {RULE.id: EVIL}
    return audit, Beside(texts=texts, difference=DIFFERENCE, logs=logs, rules=pages)


def large_audit(steps: int, findings: int) -> Audit:
    """So many steps that passed, and findings of so many objects."""
    planned = [replace(RULE, id=f"checks/rls.toml::rule-{number:05}") for number in range(steps)]
    found = tuple(
        replace(NOTICE, rule=f"rule-{number % 40}", object=f"venture.table_{number}")
        for number in range(findings)
    )
    results = [passed(step, message="14 objects examined", examined=14) for step in planned]
    results[0] = replace(results[0], findings=found)
    return _run(1, results, RunOutcome.PROMOTED)


def _run(number: int, results: list[Any], outcome: RunOutcome, **more: Any) -> Audit:
    known = facts(run=f"r{number}")
    began = START + timedelta(days=number)
    return make_audit(
        replace(
            known,
            run=replace(known.run, started_at=began),
            steps=tuple(each.step for each in results),
        ),
        outcome=outcome,
        finished_at=began + timedelta(seconds=1),
        results=results,
        target=TARGET,
        **more,
    )
