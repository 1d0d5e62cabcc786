"""What a reference turned out to mean: the objects that it reaches, or why it would be refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def reached_by_any(
    reference: CodeReference, resolutions: Sequence[Resolutions]
) -> Collection[ReachedObject]:
    """What any of an application's roles reaches, each object once, if possible by name.

    ``resolutions``: one for each role.
    """
    unique: dict[tuple[str, str], ReachedObject] = {}
    for each in resolutions:
        for reached in each[reference].reached if reference in each else ():
            key = (reached.schema, reached.name)
            if key not in unique or (unique[key].through and not reached.through):
                unique[key] = reached
    return unique.values()


def rejected_for_all(
    reference: CodeReference, resolutions: Sequence[Resolutions]
) -> Rejection | None:
    """Why every role of an application would be refused; None when it works for one of them."""
    rejections = [each[reference].rejected for each in resolutions if reference in each]
    return rejections[0] if rejections and None not in rejections else None
