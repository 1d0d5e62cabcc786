"""The part of an audit that tells what the batch did on a clone that has production's rows."""

from __future__ import annotations

from pydantic import Field

from pytest_housekeeping.evidence.model.part import Part

_WAL = "bytes of WAL meanwhile; null: the server does not tell"


class StatementRunRecord(Part):
    """A statement, by the line on which it begins and the command that the server calls it."""

    line: int = Field(ge=1)
    command: str
    duration_s: float = Field(ge=0)
    rows: int = Field(0, ge=0, description="rows that it has written")
    wal: int | None = Field(None, description=_WAL)


class FileRunRecord(Part):
    """A file, and of its statements those that took longest, in the order of the file."""

    path: str
    duration_s: float = Field(ge=0)
    rows: int = Field(0, ge=0, description="rows that it has written")
    wal: int | None = Field(None, description=_WAL)
    statements: tuple[StatementRunRecord, ...] = ()


class GrowthRecord(Part):
    """A table that is of another size at the end, in bytes: itself, and its indexes."""

    relation: str
    table_before: int = Field(0, ge=0)
    table_after: int = Field(0, ge=0)
    indexes_before: int = Field(0, ge=0)
    indexes_after: int = Field(0, ge=0)
    rewritten: bool = Field(
        default=False, description="into new files, and the old ones stay until COMMIT"
    )
    made: bool = False
    dropped: bool = False


class BesideRecord(Part):
    """A table that the batch touches, there and in production, as estimated, and in bytes."""

    relation: str
    rows: int | None = None
    size: int | None = None
    production_rows: int | None = None
    production_size: int | None = None


class CloneRecord(Part):
    """The clone, and what the batch did there before it was rolled back."""

    host: str
    port: int
    database: str
    server_version: str
    as_of: str = Field("", description="its rows are of this moment; empty: it does not tell")
    since: str = Field("", description="it was taken after this promotion")
    behind: int | None = Field(None, description="transactions that production has had since")
    relations: tuple[BesideRecord, ...] = ()
    files: tuple[FileRunRecord, ...] = ()
    deferred_s: float = Field(0.0, ge=0, description="what would run at COMMIT")
    deferred_wal: int | None = Field(None, description=_WAL)
    growth: tuple[GrowthRecord, ...] = ()
    left_out: tuple[str, ...] = Field((), description="files that no transaction can hold")
    stopped_at: str = Field("", description="the file that did not go through there")
