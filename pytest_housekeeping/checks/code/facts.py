"""What the readers tell of source files: references, undecided places, imports, skipped files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MODULE = "<module>"
"""The symbol of what stands in no function and no class."""


class ReferenceKind(StrEnum):
    """What a reference names."""

    STATEMENT = "statement"
    RELATION = "relation"
    FUNCTION = "function"
    SCHEMA = "schema"
    ROLE = "role"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """One name: its identifiers as PostgreSQL would store them, and its place in the file."""

    parts: tuple[str, ...]
    kind: ReferenceKind
    line: int
    column: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeReference:
    """A place where code names something of the database.

    ``line`` and ``column`` count from 1. ``symbol`` is the function or class around it. ``text``:
    of a statement, its SQL with placeholders as ``$1``. ``certain``: it is no prose, so what the
    server refuses is broken code. ``exact``: the text is what will be sent, but for values.
    ``makes``: relations that the statement itself creates. ``foreign``: the file speaks to another
    database than PostgreSQL.
    """

    file: str
    line: int
    column: int
    symbol: str
    kind: ReferenceKind
    how: str
    names: tuple[Name, ...] = ()
    text: str = ""
    certain: bool = True
    exact: bool = True
    makes: tuple[str, ...] = ()
    foreign: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Undecided:
    """A place that may name anything: the name is made at run time, or it cannot be read."""

    file: str
    line: int
    column: int
    symbol: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """A module that a file imports, as it is written. ``level``: the dots of a relative import."""

    line: int
    column: int
    symbol: str
    module: str
    names: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """What was read out of one file: references and undecided places, and what it imports.

    ``unread``: mappers that it imports and whose tables are not read.
    """

    found: tuple[CodeReference | Undecided, ...] = ()
    imports: tuple[Import, ...] = ()
    unread: tuple[Undecided, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A file that was not read, and why."""

    file: str
    reason: str
