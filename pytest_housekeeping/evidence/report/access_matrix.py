"""Who may do what with which table, before and after: role by table by command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.batch import AccessRecord

_ORDER = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Which rows; "" for none."""

    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRow:
    """What one role may do with one relation; a command that is not here it may not use."""

    role: str
    relation: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """The ``commands`` are its columns."""

    commands: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def access_matrix(changed: Iterable[AccessRecord], kept: Iterable[AccessRecord]) -> Matrix:
    """One row for each role and relation of which anything has changed or is told as it was."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for each in (*changed, *kept):
        cells = found.setdefault((each.relation, each.role), {})
        for command in each.commands.split(", "):
            cells.setdefault(command, Cell(before=each.before, after=each.after))
    named = {command for cells in found.values() for command in cells}
    return Matrix(
        commands=tuple(each for each in _ORDER if each in named)
        + tuple(sorted(named - set(_ORDER))),
        rows=tuple(
            MatrixRow(role=role, relation=relation, cells=cells)
            for (relation, role), cells in sorted(found.items())
        ),
    )
