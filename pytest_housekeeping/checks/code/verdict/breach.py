"""One thing that a contract on code does not let stand, and whose an object is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from pytest_housekeeping.declarations.boundaries import App, Boundaries, Zone
from pytest_housekeeping.declarations.code_baseline import Instance
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.sql.identifiers import split_name

BOUNDARY = "code-boundary"
UNDECIDED = "code-undecided"
BROKEN = "code-broken"
# What stands in the place of an object that is not known.
UNKNOWN = "undecided"


class Placed(Protocol):
    """What stands at a place of the code: a reference, an undecided place, an import."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def symbol(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """One line and object, before exemptions and baseline are taken into account."""

    rule: str
    file: str
    line: int
    column: int
    symbol: str
    object: str
    detail: str
    fix: str
    level: Level = Level.ERROR

    @property
    def finding(self) -> Finding:
        """The finding, whose object is the place and what the line reaches."""
        place = f"{self.file}:{self.line}:{self.column}"
        named = "" if self.object == UNKNOWN else f" {self.object}"
        return Finding(
            rule=self.rule,
            level=self.level,
            object=place + named,
            detail=self.detail,
            fix=self.fix,
        )

    @property
    def exemptible(self) -> Finding:
        """The finding; how an exemption names it stands in the fix."""
        of_rule = "" if self.rule in (BOUNDARY, UNDECIDED) else f"rule {self.rule}, "
        key = f"{of_rule}file {self.file}, symbol {self.symbol}, object {self.object}"
        fix = f"{self.fix}; where that is known and wanted: [[exempt]] in checks/boundaries.toml,"
        return replace(self.finding, fix=f"{fix} {key}, and the reason")

    @property
    def lasting(self) -> str:
        """The object of the finding, without the line, which moves."""
        return self.file if self.object == UNKNOWN else f"{self.file} {self.object}"

    def instance(self, contract: str) -> Instance:
        """How a baseline names it: without the line, which moves."""
        return Instance(
            contract=contract,
            rule=self.rule,
            file=self.file,
            symbol=self.symbol,
            object=self.object,
        )


def breach_at(
    placed: Placed,
    *,
    rule: str,
    object: str,
    detail: str,
    fix: str,
    place: tuple[int, int] | None = None,
    level: Level = Level.ERROR,
) -> Breach:
    """A breach where something stands. ``place``: line and column, where they are known better."""
    line, column = place or (placed.line, placed.column)
    return Breach(
        rule=rule,
        file=placed.file,
        line=line,
        column=column,
        symbol=placed.symbol,
        object=object,
        detail=detail,
        fix=fix,
        level=level,
    )


def owner(boundaries: Boundaries, schema: str, name: str) -> App | Zone | None:
    """Whose an object is: a table that a zone names is the zone's, whatever its schema."""
    for part in boundaries.parts:
        if any(split_name(table) == (schema, name) for table in part.tables):
            return part
    for part in boundaries.parts:
        if any(split_name(each) == (schema,) or each == schema for each in part.schemas):
            return part
    return None
