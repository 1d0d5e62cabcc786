"""The parts of an audit that tell what the checks saw, and what of it was there before."""

from __future__ import annotations

from pydantic import Field

from pytest_housekeeping.evidence.model.part import Part
from pytest_housekeeping.model import Level


class FindingRecord(Part):
    """One thing that a check saw, and the step that saw it."""

    rule: str
    level: Level
    object: str
    detail: str
    fix: str = ""
    leak: str = Field("", description="SQL that shows what was found")
    role: str = Field("", description="the role that it is about, where it is about one")
    because: str = Field(
        "", description="rule and object of the finding that it follows from; empty for a cause"
    )
    step: str = ""
    since: str = Field(
        "",
        description="when an earlier run saw it first; empty: no earlier one did, or none is known",
    )


class ExemptedRecord(Part):
    """What an exemption lets stand, what its reason is, and since when that has stood."""

    rule: str
    object: str
    reason: str
    since: str


class ComparedRecord(Part):
    """What the findings were held against: the newest run before this one that asked the same, of
    what the commit builds on, or of the same database."""

    run: str = Field(default="", description="empty: nothing, and why_not says why")
    at: str = ""
    commit: str = ""
    why_not: str = ""
    fixed: tuple[FindingRecord, ...] = Field(
        default=(),
        description="what earlier runs have found and this one, which asked, has not",
    )
    exempted: tuple[ExemptedRecord, ...] = ()


class FindingKindRecord(Part):
    """How many findings of a rule, at one level, follow from nothing else, and how many others
    follow from them."""

    rule: str
    level: Level
    count: int = Field(ge=1)
    below: int = Field(0, ge=0)
