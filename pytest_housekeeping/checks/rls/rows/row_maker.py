"""Make up rows for an identity: constraints satisfied, parents first, policies' joins followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow, solve
from pytest_housekeeping.checks.rls.rows.table_shape import ParentReference, TableShape
from pytest_housekeeping.checks.rls.rows.type_values import fresh
from pytest_housekeeping.postgres.connection import Connection

_DEEPEST = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeUpRow:
    """A row to insert; ``who`` is 0 or 1, the identity that it belongs to."""

    shape: TableShape
    who: int
    values: Mapping[str, str | None]


@dataclass(kw_only=True)
class RowMaker:
    """Makes each row once for each identity and remembers it.

    ``carried`` holds for each identity the values of the columns that carry it, by table and
    column; ``joins`` the columns of other tables that the policies of a table compare with its own.
    With ``fill`` a row has a value in each column that can have one, and not only where it must.
    """

    connection: Connection
    shapes: Mapping[str, TableShape]
    carried: Sequence[Mapping[str, Mapping[str, str]]]
    joins: Mapping[str, Sequence[ParentReference]]
    fill: bool = False
    _made: dict[int, MadeUpRow] = field(default_factory=dict)
    _by_table: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    _under_way: list[tuple[str, int]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def rows(self) -> tuple[MadeUpRow, ...]:
        """All rows, parents before children."""
        return tuple(self._made.values())

    def make(
        self, table: str, who: int, wanted: Mapping[str, str | None] | None = None
    ) -> Mapping[str, str | None]:
        """The values of a row of the table for an identity, with the wanted ones. Raises NoRow."""
        wanted = wanted or {}
        for row in self._rows_of(table, who):
            if all(row.values.get(name) == value for name, value in wanted.items()):
                return row.values
        shape = self.shapes.get(table)
        if shape is None:
            raise NoRow(f"{table} cannot be read")
        if (table, who) in self._under_way or len(self._under_way) > _DEEPEST:
            raise NoRow(f"{table} refers to itself in a circle")
        # What such a trigger sends or writes would not be rolled back.
        if shape.outward_triggers:
            raise NoRow(f"the trigger {shape.outward_triggers[0]} of {table} reaches outside")
        self._under_way.append((table, who))
        try:
            values = self._values(shape, who, wanted)
        finally:
            self._under_way.pop()
        self._remember(MadeUpRow(shape=shape, who=who, values=values))
        return values

    def _remember(self, row: MadeUpRow) -> None:
        number = next(self._numbers)
        self._made[number] = row
        self._by_table.setdefault((row.shape.object, row.who), []).append(number)

    def _forget(self, table: str, who: int) -> None:
        for number in self._by_table.pop((table, who), []):
            del self._made[number]

    def _rows_of(self, table: str, who: int) -> list[MadeUpRow]:
        return [self._made[number] for number in self._by_table.get((table, who), [])]

    def _values(
        self, shape: TableShape, who: int, wanted: Mapping[str, str | None]
    ) -> dict[str, str | None]:
        fixed = dict(wanted)
        for column, value in self.carried[who].get(shape.object, {}).items():
            fixed.setdefault(column, value)
        required = {
            each.name
            for each in shape.columns
            if each.required and not (each.default or each.identity or each.generated)
        }
        in_keys = {
            name
            for key in shape.keys
            for name in key
            for each in [shape.column(name)]
            if each is not None and each.required and not each.generated
        }
        # A reference that may stay NULL needs no parent; what a default says may have none.
        leading = required | {each.name for each in shape.columns if self.fill and each.default}
        for reference in shape.references:
            if set(reference.columns) & (leading | fixed.keys()):
                self._add_reference(shape, who, reference, fixed)
        for reference in self.joins.get(shape.object, ()):
            self._add_reference(shape, who, reference, fixed)
        turn = self._turn(shape.object, who)
        optional = _optional(shape) if self.fill else set()
        return solve(self.connection, shape, fixed, required | in_keys | optional, turn)

    def _turn(self, table: str, who: int) -> int:
        """A number that no other row of the table has, to choose among the solutions."""
        # Even numbers for the one identity, odd ones for the other.
        return who + 2 * len(self._rows_of(table, who))

    def _add_reference(
        self,
        shape: TableShape,
        who: int,
        reference: ParentReference,
        fixed: dict[str, str | None],
    ) -> None:
        """Make the row that a reference leads to, and fix the referring columns to its values."""
        pairs = list(zip(reference.columns, reference.parent_columns, strict=True))
        if reference.parent == shape.object:
            self._refer_to_itself(shape, who, pairs, fixed)
            return
        wanted = {of_parent: fixed[column] for column, of_parent in pairs if column in fixed}
        parent = self.make(reference.parent, who, wanted)
        for column, of_parent in pairs:
            if of_parent not in parent:
                parent = self._with_value(reference.parent, who, of_parent, wanted)
            fixed.setdefault(column, parent[of_parent])

    def _refer_to_itself(
        self,
        shape: TableShape,
        who: int,
        pairs: Sequence[tuple[str, str]],
        fixed: dict[str, str | None],
    ) -> None:
        """The row becomes its own parent, where the reference may not be NULL."""
        for column, of_parent in pairs:
            key = shape.column(of_parent)
            if key is None or not key.required:
                continue
            values = fresh(key) or (None,)
            fixed.setdefault(of_parent, values[self._turn(shape.object, who) % len(values)])
            referring = shape.column(column)
            if referring is not None and referring.required:
                fixed.setdefault(column, fixed[of_parent])

    def _with_value(
        self, table: str, who: int, name: str, wanted: Mapping[str, str | None]
    ) -> Mapping[str, str | None]:
        """Make the parent again with a value for a column that would have filled itself."""
        shape = self.shapes[table]
        column = shape.column(name)
        values = fresh(column) if column is not None else ()
        if not values:
            raise NoRow(f"the value of {table}.{name} is not known before it is inserted")
        self._forget(table, who)
        return self.make(table, who, {**wanted, name: values[who]})


def _optional(shape: TableShape) -> set[str]:
    """The columns that may stay NULL and that refer to nothing."""
    refers = {name for reference in shape.references for name in reference.columns}
    return {
        each.name
        for each in shape.columns
        if not (each.required or each.generated or each.identity) and each.name not in refers
    }
