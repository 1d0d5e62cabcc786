"""The parts of an audit that tell what a batch does, as it was measured on the copy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_housekeeping.evidence.model.part import Part


class ChangeRecord(Part):
    """An object that the batch makes, changes or drops, as the copy of the database has shown it.

    What comes or goes with another object, as the columns of a table do, is not told again.
    """

    segment: int = Field(1, ge=1)
    object: str
    kind: str
    change: Literal["made", "changed", "dropped"]
    before: str = ""
    after: str = ""
    rewrites: bool = Field(
        default=False, description="the table that it is, or belongs to, is written anew"
    )
    lock: str = Field("", description="the strongest one on that table, if it stood before")


class TakenLockRecord(Part):
    """A lock on a relation that stood before, held to COMMIT."""

    relation: str
    mode: str
    step: str = Field("", description="which took it first; empty: what runs when all is applied")


class ScanRecord(Part):
    """A table that stood before is read from end to end."""

    relation: str
    count: int = Field(ge=1)
    step: str


class IndexBuildRecord(Part):
    """An index that is built from the rows of a table that stood before."""

    index: str
    table: str
    rebuilt: bool = False


class DestroyedRecord(Part):
    """Data that are gone with the batch."""

    kind: str
    object: str
    how: Literal["dropped", "emptied"]
    relation: str = Field(description="the table, by its name before the batch")


class RenamedRecord(Part):
    """A table or a column that has got another name."""

    kind: Literal["table", "column"]
    before: str
    after: str


class AccessRecord(Part):
    """What a role may do with the rows of a relation; empty: nothing."""

    role: str
    relation: str
    commands: str
    before: str = ""
    after: str = ""


class MessageRecord(Part):
    """What the server said while a file was applied."""

    step: str
    level: str
    text: str


class CoverageRecord(Part):
    """How the statements of a segment are known."""

    measured: int = Field(
        default=0, ge=0, description="statements that ran in a transaction of the copy"
    )
    parsed: int = Field(
        default=0, ge=0, description="statements outside of one, judged by their text"
    )
    unjudged: tuple[str, ...] = Field(default=(), description="steps whose locks nobody knows")


class RelationNowRecord(Part):
    """A relation that the batch touches, as it was in production when the run looked."""

    relation: str
    rows: int | None = Field(None, description="an estimate; null: nobody has counted them")
    size: int | None = Field(None, description="in bytes, with indexes and TOAST")
    writes_per_s: float | None = None


class AppliedNowRecord(Part):
    """A file that stands in production."""

    path: str
    kind: str
    run: str = Field(description="'' where another tool has applied it, whose name is in `by`")
    commit: str
    at: str = ""
    by: str = Field("", description="the role that applied it")


class WayBackRecord(Part):
    """How a pending migration can be undone."""

    path: str
    how: Literal["proved", "unproved", "none", "irreversible"]
    said: str = ""


class ProductionNowRecord(Part):
    """What a run has seen in production beside its schema."""

    looked_s: float = Field(
        default=0.0, ge=0, description="between the two looks at the counters of writing"
    )
    relations: tuple[RelationNowRecord, ...] = ()
    applied: tuple[AppliedNowRecord, ...] = Field(default=(), description="told by a plan")
    way_back: tuple[WayBackRecord, ...] = ()
    drift: str = Field(
        default="", description="the schema's digest, where it was changed past the files"
    )
    confirm: str = Field(default="PROMOTE", description="the word that a promotion is asked for")
    begins: str = Field(
        default="", description="the option of the target or fleet that has to have it first"
    )


class BatchRecord(Part):
    """What the batch of a segment does beside its changes, by the names of before it."""

    segment: int = Field(ge=1)
    locks: tuple[TakenLockRecord, ...] = ()
    rewritten: tuple[str, ...] = ()
    scans: tuple[ScanRecord, ...] = ()
    indexes: tuple[IndexBuildRecord, ...] = ()
    destroyed: tuple[DestroyedRecord, ...] = ()
    renamed: tuple[RenamedRecord, ...] = ()
    access: tuple[AccessRecord, ...] = ()
    access_kept: tuple[AccessRecord, ...] = Field(
        (), description="what stays as it was, on relations for which anything else has changed"
    )
    messages: tuple[MessageRecord, ...] = ()
    coverage: CoverageRecord = CoverageRecord()
