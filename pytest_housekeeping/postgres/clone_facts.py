"""What a batch did to a clone that has production's rows: how long, how many rows, how much more.

All of it was rolled back there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementRun:
    """A statement of a file, by the line on which it begins and the command that the server calls
    it. ``rows`` are those that it has written, ``wal`` the bytes of WAL meanwhile; None where the
    server does not tell."""

    line: int
    command: str
    duration_s: float
    rows: int
    wal: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRun:
    """A file, and of its statements those that took longest, in the order of the file."""

    path: str
    duration_s: float
    rows: int
    wal: int | None
    statements: tuple[StatementRun, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """A table or materialized view, in bytes before the batch and at its end: itself with what is
    kept apart of its rows, and its indexes. ``rewritten``: into new files, and the old ones stay
    until COMMIT. ``made``, ``dropped``: it was not there before, or is not there any more."""

    relation: str
    table_before: int
    table_after: int
    indexes_before: int
    indexes_after: int
    rewritten: bool = False
    made: bool = False
    dropped: bool = False

    @property
    def more(self) -> int:
        """How many bytes more than before; less than none where it has shrunk."""
        return self.table_after + self.indexes_after - self.table_before - self.indexes_before


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """A table that the batch touches, there and in production: rows as estimated, size in bytes."""

    relation: str
    rows: int | None
    size: int | None
    production_rows: int | None
    production_size: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CloneFacts:
    """The clone, by where it is and how old it is, and what the batch did there.

    ``as_of`` is the commit that its rows are of the moment of, ``since`` the promotion that it has
    for certain, ``behind`` how many transactions production has had since; "" and None where that
    is not known. ``deferred_s`` took what would run at COMMIT; ``left_out`` are files that no
    transaction can hold, ``stopped_at`` is one that did not go through there.
    """

    host: str
    port: int
    database: str
    server_version: str
    as_of: str = ""
    since: str = ""
    behind: int | None = None
    relations: tuple[Beside, ...] = ()
    files: tuple[FileRun, ...] = ()
    deferred_s: float = 0.0
    deferred_wal: int | None = None
    growth: tuple[Growth, ...] = ()
    left_out: tuple[str, ...] = ()
    stopped_at: str = ""
