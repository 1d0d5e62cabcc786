"""A run that has ended, in one object for programs: what ``--hk-json`` prints and what the hook
``pytest_housekeeping_finished`` is handed. Published as docs/finished.schema.json.

Fields are added within a version and never taken away. Nothing in it is secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pytest_housekeeping.config import Target, fleet_of
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.model.part import Part
from pytest_housekeeping.evidence.remarks import Remark, Remarks
from pytest_housekeeping.evidence.report.production import promote_command
from pytest_housekeeping.evidence.report.wording import begins_with, outcome_text, text_of
from pytest_housekeeping.model import Level, Mode, Outcome, RunOutcome

MOST_TOLD = 100
"""As many findings are told; all of them are in the audit."""

_CHANGES = (Mode.PROD, Mode.ROLLBACK)
_AGAIN = {
    Mode.STAGING: "pytest --hk-mode=staging",
    Mode.PLAN: "pytest --hk-mode=staging",
    Mode.PROD: "pytest --hk-mode=plan",
    Mode.VERIFY: "pytest --hk-mode=verify",
    Mode.ROLLBACK: "",
}
_VERIFY = "pytest --hk-mode=verify"
# What is done next after an outcome; where it is not named, what is repaired is tried again.
_NEXT = {
    (Mode.STAGING, RunOutcome.PROMOTED): "pytest --hk-mode=plan",
    (Mode.STAGING, RunOutcome.NOTHING_TO_PROMOTE): "",
    (Mode.PLAN, RunOutcome.NOTHING_TO_PROMOTE): "",
    (Mode.PROD, RunOutcome.PROMOTED): _VERIFY,
    (Mode.PROD, RunOutcome.PROMOTED_UNPROVED): _VERIFY,
    (Mode.PROD, RunOutcome.NOTHING_TO_PROMOTE): "",
    (Mode.PROD, RunOutcome.UNKNOWN): "",
    (Mode.VERIFY, RunOutcome.NOTHING_TO_PROMOTE): "",
    (Mode.ROLLBACK, RunOutcome.PROMOTED): _VERIFY,
    (Mode.ROLLBACK, RunOutcome.PROMOTED_UNPROVED): _VERIFY,
    (Mode.ROLLBACK, RunOutcome.UNKNOWN): "",
}


class PlaceTold(Part):
    """In a file of the project: its path from the rootdir, line and column from 1."""

    path: str
    line: int = Field(ge=1)
    column: int = Field(ge=1)


class FindingTold(Part):
    """A finding; ``step-failed``: a step that failed without one; ``refused``: there is no plan."""

    rule: str
    level: Level
    object: str = ""
    detail: str
    fix: str = Field(default="", description="SQL, a command or words, where the check knows it")
    role: str = ""
    step: str = ""
    place: PlaceTold | None = None
    since: str = Field(
        default="", description="when it was seen first; empty: it is new in this run"
    )
    fingerprint: str = Field(description="the same in every run that finds it")


class RunTold(Part):
    """Which run it was, and of what."""

    id: str
    target: str = Field(description="the database of the settings that it was about")
    started_at: datetime
    duration_s: float
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False


class DatabaseTold(Part):
    """The database that the run was about, as PostgreSQL named it."""

    host: str
    port: int
    database: str
    server_version: str


class EvidenceTold(Part):
    """Where the record lies: paths from the rootdir, and the branch that it is committed to."""

    audit: str
    report: str = ""
    digest: str
    branch: str = Field(
        default="",
        description="to which it is committed, unless what the run had to say is that it is not",
    )


class StepsTold(Part):
    """The steps of the plan, by how they ended."""

    passed: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    skipped: int = Field(default=0, ge=0)


class CountsTold(Part):
    """Findings by whether an earlier run has had them, and what earlier runs had and is gone."""

    new: int = Field(default=0, ge=0)
    standing: int = Field(default=0, ge=0)
    fixed: int = Field(default=0, ge=0)


class NextTold(Part):
    """What to do now."""

    command: str = Field(default="", description="empty: none, or none before a person has looked")
    needs_person: bool = Field(
        default=False,
        description="a person decides: it changes a real database, or went wrong with one",
    )
    steps: tuple[str, ...] = Field(
        default=(), description="in words, what comes before it or beside it"
    )


class Finished(Part):
    """A run that has ended."""

    schema_version: Literal[1] = 1
    mode: Mode | None = None
    fleet: str = Field(default="", description="that it was about, or that its database is one of")
    databases: Mapping[str, int] = Field(
        default={}, description="of a run on a whole fleet, how many stand how"
    )
    exit_code: int = Field(description="pytest's own: 0 good, 1 a gate failed, 4 misuse, …")
    outcome: RunOutcome | None = Field(default=None, description="null: nothing was to be run")
    headline: str = ""
    meaning: str = Field(default="", description="what is true of the database now")
    message: str = Field(default="", description="why it ended so")
    run: RunTold | None = None
    target: DatabaseTold | None = None
    evidence: EvidenceTold | None = Field(default=None, description="null: no record could be made")
    plan: str = Field(
        default="", description="the digest that a promotion is bound to, where it is known"
    )
    steps: StepsTold = StepsTold()
    counts: CountsTold = CountsTold()
    findings: tuple[FindingTold, ...] = Field(
        default=(), description="errors, and what else is new: the gravest first"
    )
    findings_left_out: int = Field(default=0, ge=0)
    said: tuple[str, ...] = Field(default=(), description="what else the run had to say")
    next: NextTold = NextTold()


def finished_schema() -> dict[str, Any]:
    """The published JSON Schema; docs/finished.schema.json holds the same. It forbids no further
    fields, for they may be added."""
    schema = Finished.model_json_schema(mode="serialization")
    for each in (schema, *schema["$defs"].values()):
        each.pop("additionalProperties", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def finished(
    audit: Audit,
    remarks: Remarks,
    *,
    exit_code: int,
    evidence: EvidenceTold | None,
    said: Iterable[str] = (),
) -> Finished:
    """What is told of a run that has an audit."""
    text = outcome_text(audit)
    told = [each for each in remarks.told if each.level is Level.ERROR or not each.since]
    shown = tuple(finding_told(each) for each in told[:MOST_TOLD])
    steps = Counter(step.outcome for step in audit.steps)
    standing = sum(bool(each.since) for each in audit.findings)
    left_out = len(told) - len(shown) + remarks.left_out
    return Finished(
        mode=audit.run.mode,
        fleet=fleet_of(audit.run.target),
        exit_code=exit_code,
        outcome=audit.run.outcome,
        headline=text.headline,
        meaning=text.meaning,
        message=audit.run.message,
        run=_run(audit),
        target=_target(audit),
        evidence=evidence,
        plan=audit.bound.digest,
        steps=StepsTold(
            passed=steps[Outcome.PASSED],
            failed=steps[Outcome.FAILED],
            skipped=steps[Outcome.SKIPPED],
        ),
        counts=CountsTold(
            new=len(remarks.told) + remarks.left_out - standing,
            standing=standing,
            fixed=len(audit.compared.fixed),
        ),
        findings=shown,
        findings_left_out=left_out,
        said=tuple(line for line in said if line),
        next=_next(audit, exit_code, text.next_steps),
    )


def ended_without_record(
    message: str, *, mode: Mode | None, exit_code: int, outcome: RunOutcome | None
) -> Finished:
    """What is told of a run that has none: pytest did not come to it, or was to list something."""
    text = text_of(mode or Mode.STAGING, outcome) if outcome else None
    again = _AGAIN[mode] if mode and exit_code else ""
    return Finished(
        mode=mode,
        exit_code=exit_code,
        outcome=outcome,
        headline=text.headline if text else "",
        meaning=text.meaning if text else "",
        message=message,
        next=NextTold(command=again, needs_person=bool(exit_code) and mode in _CHANGES),
    )


def finding_told(remark: Remark) -> FindingTold:
    """A remark as the object has it."""
    return FindingTold.model_validate(remark, from_attributes=True)


def _run(audit: Audit) -> RunTold:
    run, source = audit.run, audit.source
    return RunTold(
        id=run.id,
        target=run.target,
        started_at=run.started_at,
        duration_s=run.duration_s,
        tool_version=run.tool_version,
        actor=run.actor,
        ci_url=run.ci_url,
        commit=source.commit or "",
        branch=source.branch or "",
        dirty=source.dirty,
    )


def _target(audit: Audit) -> DatabaseTold | None:
    if audit.target is None:
        return None
    return DatabaseTold.model_validate(audit.target, from_attributes=True)


def _next(audit: Audit, exit_code: int, steps: tuple[str, ...]) -> NextTold:
    mode, outcome = audit.run.mode, audit.run.outcome
    if promote := promote_command(audit):
        return NextTold(command=promote, needs_person=True, steps=steps)
    known = _NEXT.get((mode, outcome), _AGAIN[mode])
    if exit_code and mode is Mode.STAGING:
        known = _AGAIN[mode]
    if known and known != _AGAIN[Mode.STAGING]:
        option = Target(name=audit.run.target).option
        known += begins_with(audit) if mode is Mode.STAGING else option
    return NextTold(command=known, needs_person=bool(exit_code) and mode in _CHANGES, steps=steps)
