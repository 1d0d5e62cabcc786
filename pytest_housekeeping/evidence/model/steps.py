"""The steps of an audit: what the plan required, and how each of them ended."""

from __future__ import annotations

from pydantic import Field

from pytest_housekeeping.evidence.model.part import Moment, Part
from pytest_housekeeping.model import Kind, Outcome, Phase, ProvedOn


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

    @property
    def records_only(self) -> bool:
        """Whether its files were only recorded: what they make was there, and none of them ran."""
        return any(step.id == "precheck::baseline" for step in self.steps)


class LockRecord(Part):
    """A lock newly taken on a relation that existed before."""

    relation: str
    mode: str


class LetStandRecord(Part):
    """What an exemption lets stand, and its reason."""

    rule: str
    object: str
    reason: str


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
    exempted: tuple[LetStandRecord, ...] = Field(
        (), description="what is no finding because an exemption lets it stand"
    )


class LockConflictRecord(Part):
    """The batch met somebody else's lock at a step, and was begun again, or given up at last."""

    step: str
    number: int = Field(ge=1, description="counts from 1 at each step")
    at: Moment
    found: str = Field(description="what the server said")
    in_the_way: tuple[str, ...] = Field((), description="who was seen holding it up, a line each")
