"""The audit as a pydantic model: stable names, published as docs/audit.schema.json.

A field's default may never change: fields that hold it are left out of the digest (chain.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    ValidationError,
)

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.evidence.batch_model import (
    BatchRecord,
    ChangeRecord,
    ProductionNowRecord,
)
from pytest_housekeeping.evidence.bound import SecondPerson
from pytest_housekeeping.evidence.clone_model import CloneRecord
from pytest_housekeeping.evidence.finding_model import (
    ComparedRecord,
    FindingKindRecord,
    FindingRecord,
)
from pytest_housekeeping.evidence.fingerprint_model import FingerprintRecord
from pytest_housekeeping.evidence.plain_audit import SCHEMA_VERSION
from pytest_housekeeping.evidence.record_part import Part
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, ProvedOn, RunOutcome

# Years in which a run can have taken place: in each of them a moment can be told in any time zone.
_YEARS = range(1970, 9999)


def _of_a_run(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError("no run took place in that year")
    return moment


_Moment = Annotated[AwareDatetime, AfterValidator(_of_a_run)]


class RunRecord(Part):
    """Which run it was and how it ended."""

    id: str
    mode: Mode
    outcome: RunOutcome
    started_at: _Moment
    finished_at: _Moment
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


class PlannedStep(Part):
    """A step that was required, and the sha256 of the file that it stands for."""

    id: str
    phase: Phase
    kind: Kind
    path: str = ""
    sha256: str = ""
    segment: int = Field(0, ge=0, description="counts from 1; 0: belongs to no transaction")


class PlanRecord(Part):
    """What the files on disk required."""

    digest: str
    segments: int = Field(1, ge=0)
    steps: tuple[PlannedStep, ...]


class LockRecord(Part):
    """A lock newly taken on a relation that existed before."""

    relation: str
    mode: str


class StepRecord(Part):
    """How one step ended."""

    id: str
    phase: Phase
    kind: Kind
    segment: int = Field(0, ge=0)
    outcome: Outcome
    duration_s: float = Field(ge=0)
    examined: int = Field(0, ge=0)
    message: str = ""
    statements: int = 0
    rows: int = 0
    locks: tuple[LockRecord, ...] = ()
    proved_on: ProvedOn = Field(
        ProvedOn.NOWHERE,
        description="where it was shown: on a restored copy, the twin, on a clone that has the"
        " rows, or on the target itself; empty for what concerns no database, and in audits of"
        " earlier versions",
    )
    coverage: tuple[str, ...] = Field(
        (), description="how much could be judged, a line each, where that is not all"
    )
    shown_at: str = Field(
        "",
        description="when it was shown, where an earlier run of this machine has, of the same files"
        " on the same schema, or of the same rules on the same server; empty: in this run",
    )


class LockConflictRecord(Part):
    """The batch met somebody else's lock at a step, and was begun again, or given up at last."""

    step: str
    number: int = Field(ge=1, description="counts from 1 at each step")
    at: _Moment
    found: str = Field(description="what the server said")
    in_the_way: tuple[str, ...] = Field((), description="who was seen holding it up, a line each")


class ApprovalRecord(Part):
    """Somebody who neither wrote nor ran it has approved just this, before it ran."""

    approver: str
    commit: str = Field(description="signed by the approver, on housekeeping/audit/decisions")
    at: _Moment


class BoundRecord(Part):
    """What a promotion was bound to before production saw anything of it."""

    digest: str = Field(
        default="",
        description="of files, history, checks, code, settings, options, database, schema before"
        " and after, and version; empty where that was not known yet",
    )
    planned: bool = Field(
        default=False,
        description="it was told to promote what was planned under this digest, and did so",
    )
    second_person: SecondPerson = Field(
        default=SecondPerson.UNKNOWN,
        description="whether somebody else has approved it; nobody: nobody is asked,"
        " by approvals = 0",
    )
    approvals: tuple[ApprovalRecord, ...] = ()
    schema_before: str = Field(
        default="",
        description="sha256 of the schema alone, without the server around it and this tool's own"
        " tables: equal in two databases where their schemas are",
    )
    schema_after: str = Field(default="", description="the same after the batch, as rehearsed")


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
    def opens_review(self) -> bool:
        """Whether somebody has to look through it: made in an emergency, and not without effect."""
        return bool(self.run.emergency) and self.run.outcome not in (
            RunOutcome.REFUSED,
            RunOutcome.ROLLED_BACK,
            RunOutcome.NOTHING_TO_PROMOTE,
        )


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
