"""What a reference turned out to mean: the objects that it reaches, or why it would be refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachedObject:
    """An object that code gets at: by naming it, or ``through`` a view, function or role."""

    kind: ReferenceKind
    schema: str
    name: str = ""
    columns: tuple[str, ...] = ()
    through: str = ""

    @property
    def object(self) -> str:
        return f"{self.schema}.{self.name}" if self.name else self.schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why PostgreSQL would refuse the code, and the word that it stopped at, if it told.

    ``occurrence``: how often the word stands before it in the statement.
    """

    sqlstate: str
    message: str
    word: str = ""
    occurrence: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What a reference reaches. ``rejected``: PostgreSQL would not run it as it is."""

    reached: tuple[ReachedObject, ...] = ()
    rejected: Rejection | None = None


Resolutions = Mapping[CodeReference, Resolution]
