"""The incident report: which runs have one, what it fills in, and what it never holds."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.evidence.report.github import step_summary
from pytest_housekeeping.evidence.report.html import summary_html
from pytest_housekeeping.evidence.report.incident import incident_report
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.recording.incident_files import write_incident
from pytest_housekeeping.promotion.rollback.selection import Reverted
from support.evidence_samples import DOES, START, failed_sample, forged, sample

PASSWORD = "correct-horse-7-battery-STAPLE"


def context(root: Path, mode: Mode, *, asked: bool = False) -> Any:
    """What is asked of a run when its incident is written."""
    return SimpleNamespace(
        config=Config(root=root, incident_on_failure=asked),
        rules=rules_of(mode),
        run=SimpleNamespace(id="r1", started_at=START),
        reverted_audits=(),
    )


def target(proposal: str = "") -> Any:
    """What is asked of the database that was changed."""
    return SimpleNamespace(schema_changes=(), proposal=lambda _outcome: proposal)


@pytest.mark.parametrize("outcome", RunOutcome)
def test_a_promotion_has_one_where_it_is_asked_for_and_it_did_not_go_through(
    tmp_path: Path, outcome: RunOutcome
) -> None:
    audit = sample(outcome)
    asked = context(tmp_path, Mode.PROD, asked=True)
    silent = context(tmp_path, Mode.PROD)
    went_wrong = outcome in ("rolled_back", "promoted_in_part", "promoted_unproved", "unknown")
    in_any_case = outcome == "promoted_unproved"

    assert bool(write_incident(silent, target(), audit, Secrets())) is in_any_case
    assert bool(write_incident(asked, target(), audit, Secrets())) is went_wrong
    assert (tmp_path / "ops/incidents").exists() is went_wrong


def test_a_rollback_always_has_one_and_staging_and_a_watch_never(tmp_path: Path) -> None:
    for mode, written in ((Mode.ROLLBACK, True), (Mode.STAGING, False), (Mode.VERIFY, False)):
        run = context(tmp_path, mode, asked=True)
        files = write_incident(run, target(), sample(RunOutcome.ROLLED_BACK, mode), Secrets())
        assert bool(files) is written
        assert all(path.read_bytes() == content for path, content in files.items())


def test_a_password_is_in_neither_file(tmp_path: Path) -> None:
    """It may stand in a message of the server, or in a function's body of the proposal."""
    there = target(f"SELECT '{PASSWORD}';\n")
    audit = failed_sample(Mode.ROLLBACK)
    run = audit.run.model_copy(update={"message": f"refused with {PASSWORD}"})
    audit = audit.model_copy(update={"run": run})
    files = write_incident(context(tmp_path, Mode.ROLLBACK), there, audit, Secrets([PASSWORD]))

    assert sorted(path.suffix for path in files) == [".md", ".sql"]
    for path in files:
        assert PASSWORD not in path.read_text(encoding="utf-8")
    assert "refused with " in next(p for p in files if p.suffix == ".md").read_text()


def test_a_failed_check_is_told_with_its_repair_and_markup_is_text() -> None:
    audit = failed_sample(Mode.ROLLBACK)
    run = audit.run.model_copy(update={"actor": "a | <b>", "message": "two\nlines"})
    report = incident_report(audit.model_copy(update={"run": run}))

    assert "`venture.orders` the owner bypasses its policies" in report
    assert "fix: ALTER TABLE venture.orders FORCE ROW LEVEL SECURITY;" in report
    assert "| by | a \\| &lt;b> |" in report
    assert "two lines" in report
    assert "](../audit/rollback_20270102T030405Z_r1.html)" in report
    assert "](../log/rollback_20270102T030405Z_r1.html)" in incident_report(
        audit, audit_folder="log"
    )
    assert "None of it was committed: the database is as it was before this run." in report


def test_what_no_rollback_takes_back_is_not_called_as_it_was() -> None:
    audit = failed_sample(Mode.PROD)
    stays = audit.findings[0].model_copy(update={"rule": "stays-behind"})
    told = audit.model_copy(update={"findings": (*audit.findings, stays)})
    but = "as it was, but for what no rollback takes back (stays-behind)"

    assert but in incident_report(told)
    assert but in outcome_text(told).meaning
    assert "no rollback" not in incident_report(audit) + outcome_text(audit).meaning


def test_a_schema_that_nobody_could_read_again_is_not_said_to_be_below() -> None:
    kept = {"path": "ops/audit/prod_schema_after_x.sql", "sha256": "a" * 64}
    audit = sample(RunOutcome.PROMOTED_UNPROVED)
    assert audit.snapshot.after is None
    report = incident_report(audit, reverted=(), changes=(), proposal="", audit_folder="audit")
    assert "The snapshots below" not in report
    assert "the schema was not read again. `pytest --hk-mode=verify` reads it" in report
    other = forged(audit, lambda document: document["run"].update(target="pre"))
    report = incident_report(other, reverted=(), changes=(), proposal="", audit_folder="audit")
    assert "`pytest --hk-mode=verify --hk-target=pre` reads it" in report
    read = forged(audit, lambda document: document["snapshot"].update(after=kept))
    report = incident_report(read, reverted=(), changes=(), proposal="", audit_folder="audit")
    assert "The snapshots below say what differs." in report


def test_a_proposal_is_told_by_what_the_run_did() -> None:
    undone = incident_report(sample(mode=Mode.ROLLBACK), proposal="x.sql")
    committed = incident_report(sample(RunOutcome.PROMOTED_UNPROVED), proposal="x.sql")

    assert "Nothing was run where a rollback file is missing. [A proposal](x.sql)" in undone
    assert "Nothing was run" not in committed
    assert "[A proposal](x.sql) for the way back" in committed


def test_no_value_ends_a_row_or_becomes_markup() -> None:
    evil = "a | <b>\n| c\x1b[2J"
    audit = sample()
    assert audit.target is not None
    target = audit.target.model_copy(update={"host": evil, "database": evil, "user": evil})
    run = audit.run.model_copy(update={"id": evil, "ci_url": evil, "actor": evil})
    audit = audit.model_copy(update={"run": run, "target": target})
    report = incident_report(audit, reverted=[audit])

    assert "<b>" not in report
    assert "\x1b" not in report
    columns = 0
    for line in report.splitlines():
        if line.startswith("| ---"):
            columns = line.count("|")
        elif not line:
            columns = 0
        elif columns:
            assert line.replace("\\|", "").count("|") == columns, line


def test_exemptions_are_judged_by_the_day_on_which_that_schema_was_promoted() -> None:
    """One that has ended since must not keep a schema from coming back."""
    reverted = Reverted(run="r1", rows=(), standing=(), audits={"r1": sample()})

    assert reverted.promoted_on == date(2027, 1, 2)


def test_it_opens_with_what_users_saw_and_for_how_long() -> None:
    reverted = sample(run="p1", locks_held_s=4.2, batch=[DOES])
    undone = sample(mode=Mode.ROLLBACK, locks_held_s=0.5, batch=[DOES])
    later = undone.run.model_copy(
        update={
            "started_at": START + timedelta(minutes=10),
            "finished_at": START + timedelta(minutes=10, seconds=2.5),
        }
    )
    report = incident_report(undone.model_copy(update={"run": later}), reverted=[reverted])
    seen = report.partition("## What users saw, and for how long")[2].partition("\n## ")[0]
    for said in (
        "the schema that was rolled back had stood for 10 min 0 s, 2027-01-02 03:04:08 to",
        "promotion p1: strong locks on venture.orders were held for 4.2 s",
        "this run: strong locks on venture.orders were held for 500 ms",
        "column venture.person.note is gone",
        "| `venture.orders` | readers and writers | AccessExclusiveLock |  |",
    ):
        assert said in seen
    assert report.index("## What users saw") < report.index("## Timeline")
    assert "it has ended: promoted, strong locks held for 4.2 s" in report
    assert "it has ended: rolled back |" in report
    assert "apply: 1 passed, 0 failed, 0 skipped, strong locks held for " in report


def test_where_nobody_waited_and_nothing_is_lost_that_is_said() -> None:
    report = incident_report(failed_sample(Mode.ROLLBACK))
    assert "this run: nobody had to wait for a strong lock" in report
    assert "- no data is known to be lost" in report
    assert "not rolled back" in report


def test_a_rollback_is_called_rolled_back_everywhere() -> None:
    for outcome in RunOutcome:
        audit = sample(outcome, mode=Mode.ROLLBACK)
        texts = ["\n".join(terminal_summary(audit)), step_summary(audit), summary_html(audit)]
        for text in (*texts, incident_report(audit, reverted=[sample()])):
            words = re.findall(r"\bundo\w*|\bundone\b", text, re.IGNORECASE)
            assert words == [], outcome
