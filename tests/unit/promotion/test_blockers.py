"""Which step without a pass keeps which later one from running."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.model import ROWS, Kind, Outcome, Phase, Step, StepResult
from pytest_housekeeping.plan.steps import (
    BINDING,
    RUNNING,
    SCHEMA,
    STATISTICS,
    after_steps,
    rehearsed_step,
)
from pytest_housekeeping.promotion.blockers import blocker_of

STEPS = {
    step.id: step
    for step in (
        Step(id="drift", phase=Phase.PRECHECK, kind=Kind.PRECHECK, name="drift"),
        Step(id="server", phase=Phase.PRECHECK, kind=Kind.PRECHECK, name="server"),
        Step(id="proof", phase=Phase.BACKUP, kind=Kind.BACKUP, name="proof"),
        Step(id="file there", phase=Phase.REHEARSE, kind=Kind.REHEARSAL, name="a", path="a.sql"),
        Step(id="rule there", phase=Phase.REHEARSE, kind=Kind.RLS, name="rule"),
        Step(id="result", phase=Phase.REHEARSE, kind=Kind.REHEARSAL, name="result"),
        rehearsed_step(ROWS, 1),
        rehearsed_step(RUNNING, 1),
        rehearsed_step(BINDING, 1),
        Step(id="file", phase=Phase.APPLY, kind=Kind.MIGRATION, name="a", path="a.sql"),
        Step(id="style", phase=Phase.VERIFY, kind=Kind.LINT, name="sql"),
        Step(id="rule", phase=Phase.VERIFY, kind=Kind.RLS, name="rule"),
        Step(id="query", phase=Phase.VERIFY, kind=Kind.QUERY, name="q"),
        Step(id="promote", phase=Phase.PROMOTE, kind=Kind.PROMOTE, name="promote"),
    )
}
ASKED = "rehearse::rows, rehearse::running, rehearse::binding"
REST = "file, rule, query, promote"


@pytest.mark.parametrize(
    ("failed", "watches", "blocked"),
    [
        ("server", False, f"proof, file there, rule there, result, {ASKED}, {REST}"),
        ("proof", False, f"file there, rule there, result, {ASKED}, {REST}"),
        # On the copy a file stops what builds on it, and a rule stops no other one.
        ("file there", False, f"rule there, result, {ASKED}, {REST}"),
        ("rule there", False, REST),
        ("result", False, f"{ASKED}, {REST}"),
        # What is asked then is told side by side, and no digest promises what was refused.
        ("rehearse::rows", False, f"rehearse::binding, {REST}"),
        ("rehearse::running", False, f"rehearse::binding, {REST}"),
        ("file", False, "rule, query, promote"),
        ("query", False, "promote"),
        # A watch tells all that it can: without a copy, what the rows decide.
        ("server", True, f"proof, file there, rule there, result, {ASKED}, {REST}"),
        ("drift", True, ""),
        ("proof", True, f"file there, rule there, result, {ASKED}"),
        ("rule there", True, ""),
    ],
)
def test_what_failed_blocks_what_builds_on_it(failed: str, watches: bool, blocked: str) -> None:
    trouble = StepResult(step=STEPS[failed], outcome=Outcome.FAILED)
    order = list(STEPS)
    later = [STEPS[name] for name in order[order.index(failed) + 1 :]]
    found = [step.id for step in later if blocker_of(step, [trouble], watches=watches)]
    assert ", ".join(name for name in found if name != "style") == blocked
    assert all(
        blocker_of(STEPS[name], [trouble], watches=watches) in (None, failed) for name in found
    )


def test_what_the_schema_decides_is_told_although_a_seed_fails() -> None:
    """It may be why: the schema is there."""
    seed = Step(id="seed", phase=Phase.SEED, kind=Kind.SEED, path="s.sql")
    failed = StepResult(step=seed, outcome=Outcome.FAILED)
    checks = [STEPS[name] for name in ("rule", "query", "promote")]
    later = [replace(seed, id="other seed"), *checks]
    blocked = [step.id for step in later if blocker_of(step, [failed], watches=False)]
    assert blocked == ["other seed", "query", "promote"]


def promote(segment: int) -> Step:
    return Step(id=f"promote {segment}", phase=Phase.PROMOTE, kind=Kind.PROMOTE, segment=segment)


@pytest.mark.parametrize(
    ("trouble", "blocked"),
    [
        # Nothing of a later segment runs on a schema that nobody knows to be the proved one; what
        # the batch has thrown away is made again all the same.
        ("after::schema[1/2]", "file, promote 2, restore"),
        ("promote 1", "after::schema[1/2], after::statistics[1/2], file, promote 2, restore"),
        ("file", "promote 2, restore"),
        ("promote 2", "restore"),
    ],
)
def test_what_was_seen_behind_a_commit_blocks_what_follows(trouble: str, blocked: str) -> None:
    steps = [
        promote(1),
        *after_steps(1, 2, names=(SCHEMA, STATISTICS)),
        Step(id="file", phase=Phase.APPLY, kind=Kind.MIGRATION, segment=2),
        promote(2),
        Step(id="restore", phase=Phase.VERIFY, kind=Kind.BACKUP, segment=3),
    ]
    ids = [step.id for step in steps]
    failed = StepResult(step=steps[ids.index(trouble)], outcome=Outcome.FAILED)
    later = steps[ids.index(trouble) + 1 :]
    assert ", ".join(s.id for s in later if blocker_of(s, [failed], watches=False)) == blocked
