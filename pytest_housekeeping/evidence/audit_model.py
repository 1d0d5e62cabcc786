"""The audit as a pydantic model: stable names, published as docs/audit.schema.json."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pytest_housekeeping.model import Kind, Level, Mode, Outcome, Phase, RunOutcome

SCHEMA_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(_Part):
    """Which run it was and how it ended."""

    id: str
    mode: Mode
    outcome: RunOutcome
    started_at: AwareDatetime
    finished_at: AwareDatetime
    duration_s: float = Field(ge=0)
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    reverts: str = Field("", description="the run that a rollback undoes, and what came after it")
    message: str = Field("", description="why it ended so, and what is true now")
    locks_held_s: float = Field(
        0.0, ge=0, description="seconds from the first strong lock to COMMIT"
    )


class Source(_Part):
    """The commit that the run attests. ``dirty``: it ran on files that are not in it."""

    commit: str | None
    branch: str | None
    dirty: bool
    dirty_paths: tuple[str, ...] = ()


class TargetRecord(_Part):
    """The database, as PostgreSQL itself named it."""

    host: str
    port: int
    database: str
    user: str
    server_version: str
    system_identifier: str


class PlannedStep(_Part):
    """A step that was required, and the sha256 of the file that it stands for."""

    id: str
    phase: Phase
    kind: Kind
    path: str = ""
    sha256: str = ""
    segment: int = Field(0, ge=0, description="counts from 1; 0: belongs to no transaction")


class Plan(_Part):
    """What the files on disk required."""

    digest: str
    segments: int = Field(1, ge=0)
    steps: tuple[PlannedStep, ...]


class LockRecord(_Part):
    """A lock newly taken on a relation that existed before."""

    relation: str
    mode: str


class StepRecord(_Part):
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


class FindingRecord(_Part):
    """One thing that a check saw, and the step that saw it."""

    rule: str
    level: Level
    object: str
    detail: str
    fix: str = ""
    leak: str = Field("", description="SQL that shows what was found")
    step: str = ""


class Artifact(_Part):
    """A file beside the audit."""

    path: str
    sha256: str


class Snapshot(_Part):
    """The schema before and after, where one was taken."""

    before: Artifact | None = None
    after: Artifact | None = None


class Chain(_Part):
    """``digest`` covers the whole audit but itself; ``previous`` is that of the audit before."""

    previous: str | None = None
    digest: str = ""


class Audit(_Part):
    """The evidence of one run of pytest-housekeeping."""

    schema_version: Literal[1]
    run: Run
    source: Source
    target: TargetRecord | None = Field(description="null: no connection was made")
    plan: Plan
    steps: tuple[StepRecord, ...]
    findings: tuple[FindingRecord, ...] = ()
    snapshot: Snapshot = Snapshot()
    chain: Chain = Chain()
