"""What was read out of source: references, places that stay undecided, files passed over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReferenceKind(StrEnum):
    """What a reference names."""

    STATEMENT = "statement"
    RELATION = "relation"
    FUNCTION = "function"
    SCHEMA = "schema"
    ROLE = "role"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """One name as it is spelt: its identifiers as PostgreSQL would store them, and its place."""

    parts: tuple[str, ...]
    kind: ReferenceKind
    line: int
    column: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeReference:
    """A place where code names something of the database, or imports another module.

    ``line`` and ``column`` count from 1. ``symbol`` is the function or class around it. ``text``:
    of a statement, its SQL with placeholders as ``$1``. ``certain``: that it is no prose, so what
    the server refuses is broken code. ``exact``: the text is what will be sent, but for values.
    ``makes``: relations that the statement itself creates.
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
    """A place that may name anything: what it names is made at run time, or cannot be read."""

    file: str
    line: int
    column: int
    symbol: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """A module, as it is written, that a file imports. ``level``: the dots of a relative one."""

    line: int
    column: int
    symbol: str
    module: str
    names: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """All that one file told."""

    found: tuple[CodeReference | Undecided, ...] = ()
    imports: tuple[Import, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedFile:
    """A file that was not read, and why."""

    file: str
    reason: str
