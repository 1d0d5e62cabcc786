"""An audit that contradicts its own plan, in every part of it; and those that runs write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, RunOutcome, Step, StepResult
from pytest_housekeeping.plan.steps import SCHEMA, STATISTICS, after_steps
from support.evidence_samples import TARGET, facts, failed_sample, forged, passed, sample, steps

Document = dict[str, Any]
CHECK = "checks/rls.toml::rls-not-forced"


def test_what_runs_write_fits_its_plan() -> None:
    refused = sample(RunOutcome.REFUSED, results=(), target=None)
    skipped = tuple(
        StepResult(step=step, outcome=Outcome.SKIPPED, message="blocked") for step in steps()
    )
    for audit in (
        sample(),
        sample(mode=Mode.STAGING),
        sample(RunOutcome.UNKNOWN),
        sample(RunOutcome.REFUSED, results=skipped),
        failed_sample(),
        failed_sample(Mode.STAGING),
        refused,
    ):
        assert own_plan_faults(audit) == ()


def test_what_runs_behind_the_commit_does_not_count() -> None:
    """An application's own test that failed: staging is promoted, and says what failed."""
    known = facts(Mode.STAGING)
    behind = Step(
        id="app/test_it.py::test_it",
        phase=Phase.VERIFY,
        kind=Kind.TEST,
        path="app/test_it.py",
        sha256="a" * 64,
        segment=2,
    )
    known = replace(known, steps=(*known.steps, behind))
    from pytest_housekeeping.evidence.audit import make_audit

    audit = make_audit(
        known,
        outcome=RunOutcome.PROMOTED,
        finished_at=known.run.started_at,
        results=[*map(passed, steps()), StepResult(step=behind, outcome=Outcome.FAILED)],
        target=TARGET,
    )
    assert own_plan_faults(audit) == ()


def test_a_clock_that_goes_back_while_a_run_lasts_leaves_a_record_that_is_whole() -> None:
    known = facts()
    from pytest_housekeeping.evidence.audit import make_audit

    audit = make_audit(
        known,
        outcome=RunOutcome.PROMOTED,
        finished_at=known.run.started_at - timedelta(minutes=1),
        results=[*map(passed, steps())],
        target=TARGET,
    )
    assert audit.run.finished_at == known.run.started_at
    assert not [each for each in own_plan_faults(audit) if "began" in each.detail]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED])
def test_but_what_was_seen_there_first_does(outcome: Outcome) -> None:
    """An audit that says promoted, of a schema that nobody has shown to be the proved one."""
    known = facts()
    look, statistics = after_steps(1, 1, names=(SCHEMA, STATISTICS))
    known = replace(known, steps=(*known.steps, look, statistics))
    from pytest_housekeeping.evidence.audit import make_audit

    def faults(seen: Outcome) -> list[str]:
        audit = make_audit(
            known,
            outcome=RunOutcome.PROMOTED,
            finished_at=known.run.started_at,
            results=[*map(passed, steps()), StepResult(step=look, outcome=seen)],
            target=TARGET,
        )
        return [each.detail for each in own_plan_faults(audit)]

    assert faults(Outcome.PASSED) == []
    assert faults(outcome) == [f"it says promoted, and that after::schema was {outcome}"]


def no_steps(document: Document) -> None:
    document["plan"]["steps"] = document["steps"] = []


def no_digest(document: Document) -> None:
    document["plan"]["digest"] = "whatever"


def planned_twice(document: Document) -> None:
    document["plan"]["steps"].append(document["plan"]["steps"][2])


def another_path(document: Document) -> None:
    document["plan"]["steps"][1]["path"] = "sql/migrations/0009_y.sql"


def no_sha256(document: Document) -> None:
    document["plan"]["steps"][1]["sha256"] = ""


def record_gone(document: Document) -> None:
    del document["steps"][2]


def recorded_twice(document: Document) -> None:
    document["steps"].append(document["steps"][2])


def failed_and_passed(document: Document) -> None:
    document["steps"].insert(0, {**document["steps"][2], "outcome": "failed"})


def not_planned(document: Document) -> None:
    del document["plan"]["steps"][2]


def another_kind(document: Document) -> None:
    document["steps"][2]["kind"] = "query"


def another_segment(document: Document) -> None:
    document["steps"][2]["segment"] = 2


def skipped(document: Document) -> None:
    document["steps"][2]["outcome"] = "skipped"


def failed(document: Document) -> None:
    document["steps"][2]["outcome"] = "failed"


def behind_the_commit(document: Document) -> None:
    """A step that failed, moved to where no promote waits for it: its record tells."""
    document["steps"][2]["outcome"] = "failed"
    document["plan"]["steps"][2]["segment"] = 2


def no_target(document: Document) -> None:
    document["target"] = None


def no_commit(document: Document) -> None:
    del document["steps"][3], document["plan"]["steps"][3]


def more_segments(document: Document) -> None:
    document["plan"]["segments"] = 2


def no_segments(document: Document) -> None:
    document["plan"]["segments"] = 0


def says_rolled_back(document: Document) -> None:
    document["run"]["outcome"] = "rolled_back"


def error_of_a_pass(document: Document) -> None:
    document["findings"] = [
        {"rule": "r", "level": "error", "object": "o", "detail": "d", "step": CHECK}
    ]


def finding_of_nobody(document: Document) -> None:
    document["findings"] = [
        {"rule": "r", "level": "notice", "object": "o", "detail": "d", "step": "elsewhere"}
    ]


def cleaned(document: Document) -> None:
    document["source"]["dirty_paths"] = ["checks/test_desk.py"]


def code_twice(document: Document) -> None:
    document["source"]["code"] = [{"path": "conftest.py", "sha256": c * 64} for c in "ab"]


def code_without_sha256(document: Document) -> None:
    document["source"]["code"] = [{"path": "conftest.py", "sha256": ""}]


def ended_before_it_began(document: Document) -> None:
    document["run"]["finished_at"] = "2020-01-01T00:00:00Z"


def took_longer(document: Document) -> None:
    document["run"]["duration_s"] = 99.0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (no_steps, "its plan has no steps"),
        (no_digest, "the digest of its plan is no sha256"),
        (planned_twice, f"its plan has {CHECK} 2 times"),
        (another_path, "stand for sql/migrations/0009_y.sql"),
        (no_sha256, "without the sha256 of its file"),
        (record_gone, f"it has 0 records of {CHECK}, and not one"),
        (recorded_twice, f"it has 2 records of {CHECK}, and not one"),
        (failed_and_passed, f"it has 2 records of {CHECK}, and not one"),
        (not_planned, f"it has a record of {CHECK}, which its plan does not have"),
        (another_kind, f"its record of {CHECK} is of another kind of step"),
        (another_segment, f"its record of {CHECK} is of another kind of step"),
        (skipped, f"it says promoted, and that {CHECK} was skipped"),
        (failed, f"it says promoted, and that {CHECK} was failed"),
        (behind_the_commit, f"its record of {CHECK} is of another kind of step"),
        (no_target, "it says promoted, and names no database"),
        (no_commit, "it says promoted, of 1 segments, and has 0 COMMITs"),
        (more_segments, "it says promoted, of 2 segments, and has 1 COMMITs"),
        (no_segments, "it says promoted, of 0 segments, and has 1 COMMITs"),
        (says_rolled_back, "it says rolled_back, and that promote has passed"),
        (error_of_a_pass, f"it says that {CHECK} has passed, and found an error: r"),
        (finding_of_nobody, "its finding r is of 'elsewhere'"),
        (cleaned, "it does not say which files were in no commit"),
        (code_twice, "it names the code conftest.py 2 times"),
        (code_without_sha256, "it names code without its sha256"),
        (ended_before_it_began, "it ended before it began"),
        (took_longer, "and says 99.0 s"),
    ],
)
def test_what_contradicts_the_plan_is_said(edit: Callable[[Document], None], words: str) -> None:
    faults = own_plan_faults(forged(sample(mode=Mode.STAGING), edit))
    assert [fault for fault in faults if words in fault.detail], faults
    assert {fault.object for fault in faults} == {"run r1"}


def test_a_forgery_has_the_digest_of_what_it_says() -> None:
    """Or all of these would be refused for their digest alone."""
    record = forged(sample(), skipped)
    assert isinstance(record, Audit)
    assert digest(record) == record.chain.digest
