"""The audit as a pydantic model: stable names, published as docs/audit.schema.json.

A field's default may never change: fields that hold it are left out of the digest (chain.py).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.evidence.model.batch import (
    BatchRecord,
    ChangeRecord,
    ProductionNowRecord,
)
from pytest_housekeeping.evidence.model.bound import BoundRecord
from pytest_housekeeping.evidence.model.clone import CloneRecord
from pytest_housekeeping.evidence.model.findings import (
    ComparedRecord,
    FindingKindRecord,
    FindingRecord,
)
from pytest_housekeeping.evidence.model.fingerprint import FingerprintRecord
from pytest_housekeeping.evidence.model.part import Moment, Part
from pytest_housekeeping.evidence.model.steps import LockConflictRecord, PlanRecord, StepRecord
from pytest_housekeeping.evidence.plain_audit import SCHEMA_VERSION
from pytest_housekeeping.evidence.run_outcomes import COMMITTED, UNDONE
from pytest_housekeeping.model import Kind, Level, Mode, Outcome, ProvedOn, RunOutcome

# The way back of a baseline, in the place of one for each of its files.
_NOT_UNDONE = "none: what a baseline records was there before it, and it cannot be rolled back"


class RunRecord(Part):
    """Which run it was and how it ended."""

    id: str
    mode: Mode
    outcome: RunOutcome
    started_at: Moment
    finished_at: Moment
    duration_s: float = Field(ge=0)
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    reverts: str = Field("", description="the run that a rollback undoes, and what came after it")
    emergency: str = Field(
        "",
        description="why people and staging were not waited for; if anything was changed, a review"
        " is open until somebody has looked through it",
    )
    target: str = Field(
        PRODUCTION, description="the database of the settings that the run was about"
    )
    message: str = Field("", description="why it ended so, and what is true now")
    locks_held_s: float = Field(
        0.0, ge=0, description="seconds from the first strong lock to COMMIT"
    )


class CodeRecord(Part):
    """A file of the repository that ran as Python or steered the run; its path is relative to the
    folder of pyproject.toml."""

    path: str
    sha256: str


class ToolRecord(Part):
    """Python, this tool, or a distribution that it depends on."""

    name: str
    version: str


class SourceRecord(Part):
    """The commit that the run attests. ``dirty``: it ran on files that are not in it."""

    commit: str | None
    branch: str | None
    dirty: bool
    dirty_paths: tuple[str, ...] = ()
    url: str = Field("", description="where the repository is looked at on the web, where it is")
    change_url: str = Field("", description="the pull or merge request that was tried")
    code: tuple[CodeRecord, ...] = Field(
        (), description="what ran as Python, the settings of pytest, and the pin of production"
    )
    tools: tuple[ToolRecord, ...] = Field(
        (),
        description="what it ran with: production takes no proof of other versions",
    )


class TargetRecord(Part):
    """The database, as PostgreSQL itself named it."""

    host: str
    port: int
    database: str
    user: str
    server_version: str
    system_identifier: str
    timeline: int | None = Field(
        None, description="what a primary writes; a standby that was promoted writes another one"
    )


class Artifact(Part):
    """A file beside the audit."""

    path: str
    sha256: str


class SnapshotRecord(Part):
    """The schema before and after, where one was taken."""

    before: Artifact | None = None
    after: Artifact | None = None
    after_of: ProvedOn = Field(default=ProvedOn.NOWHERE, description="whose dump `after` is")
    fingerprint: FingerprintRecord = FingerprintRecord()


class Chain(Part):
    """``digest`` covers the whole audit but itself; ``previous`` is that of the audit before."""

    previous: str | None = None
    digest: str = ""


class Audit(Part):
    """The record of one run of pytest-housekeeping."""

    schema_version: Literal[1]
    run: RunRecord
    source: SourceRecord
    target: TargetRecord | None = Field(description="null: no connection was made")
    plan: PlanRecord
    steps: tuple[StepRecord, ...]
    changes: tuple[ChangeRecord, ...] = ()
    batch: tuple[BatchRecord, ...] = Field(
        (), description="what else the batch does, by segment, where it was rehearsed on a copy"
    )
    production: ProductionNowRecord = ProductionNowRecord()
    clone: CloneRecord | None = Field(
        None, description="what the batch did on a clone that has production's rows; null: no clone"
    )
    findings: tuple[FindingRecord, ...] = ()
    finding_kinds: tuple[FindingKindRecord, ...] = Field(
        (), description="the findings put together by cause, the gravest first"
    )
    compared: ComparedRecord = ComparedRecord()
    lock_conflicts: tuple[LockConflictRecord, ...] = ()
    bound: BoundRecord = BoundRecord()
    snapshot: SnapshotRecord = SnapshotRecord()
    artifacts: tuple[Artifact, ...] = Field(
        (), description="the other files that the run wrote: its HTML report, roles, a diff"
    )
    chain: Chain = Chain()

    @property
    def explained(self) -> frozenset[str]:
        """The steps of which a finding says what was wrong."""
        return frozenset(each.step for each in self.findings if each.level is not Level.NOTICE)

    @property
    def way_back(self) -> tuple[str, ...]:
        """How each pending migration can be undone, a line each."""
        if self.plan.records_only:
            return (_NOT_UNDONE,)
        return tuple(f"{each.path}: {each.how}: {each.said}" for each in self.production.way_back)

    @property
    def segments_in(self) -> frozenset[int]:
        """The segments that the run has committed, by their numbers; of an answer to COMMIT that
        was lost, those before it."""
        if self.run.outcome in COMMITTED:
            return frozenset(range(self.plan.segments + 1))
        return frozenset(
            step.segment
            for step in self.steps
            if step.kind is Kind.PROMOTE and step.outcome is Outcome.PASSED
        )

    @property
    def segments_undone(self) -> frozenset[int]:
        """The segments that are not in the database while others are."""
        in_part = self.run.outcome is RunOutcome.PROMOTED_IN_PART
        if not in_part or self.run.mode is Mode.STAGING:
            return frozenset()
        return frozenset(range(1, self.plan.segments + 1)) - self.segments_in

    @property
    def opens_review(self) -> bool:
        """Whether somebody has to look through it: made in an emergency, and not without effect."""
        without_effect = (*UNDONE, RunOutcome.NOTHING_TO_PROMOTE)
        return bool(self.run.emergency) and self.run.outcome not in without_effect


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the file; docs/audit.schema.json holds the same."""
    schema = Audit.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-housekeeping:audit:{SCHEMA_VERSION}",
        **schema,
    }


def first_fault(error: ValidationError) -> str:
    """Where a document first departs from the model, and how, without quoting its content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
