"""Make up rows for an identity: constraints met, parents made first, policies' joins followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.rows.candidate_values import fresh
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow, solve
from pytest_housekeeping.checks.rls.rows.table_shape import Reference, Shape
from pytest_housekeeping.postgres.connection import Connection

_DEEPEST = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A row to insert, for the identity with this number."""

    shape: Shape
    who: int
    values: Mapping[str, str | None]


@dataclass(kw_only=True)
class RowMaker:
    """Makes each row once for each identity, and remembers it, parents before children.

    ``carried`` gives for each identity the value of the columns that carry it; ``joins``, for a
    table, the columns that its policies compare with columns of other tables.
    """

    connection: Connection
    shapes: Mapping[str, Shape]
    carried: Sequence[Mapping[tuple[str, str], str]]
    joins: Mapping[str, Sequence[Reference]]
    rows: list[Made] = field(default_factory=list)
    _under_way: list[tuple[str, int]] = field(default_factory=list)

    def make(
        self, object: str, who: int, wanted: Mapping[str, str | None] | None = None
    ) -> Mapping[str, str | None]:
        """A row of the table for an identity, with the wanted values. Raises NoRow."""
        wanted = wanted or {}
        for made in self.rows:
            if (made.shape.object, made.who) == (object, who) and all(
                made.values.get(name) == value for name, value in wanted.items()
            ):
                return made.values
        shape = self.shapes.get(object)
        if shape is None:
            raise NoRow(f"{object} cannot be read")
        if (object, who) in self._under_way or len(self._under_way) > _DEEPEST:
            raise NoRow(f"{object} refers to itself in a circle")
        if shape.outward:
            raise NoRow(f"the trigger {shape.outward[0]} of {object} reaches outside")
        self._under_way.append((object, who))
        try:
            values = self._values(shape, who, wanted)
        finally:
            self._under_way.pop()
        self.rows.append(Made(shape=shape, who=who, values=values))
        return values

    def _values(
        self, shape: Shape, who: int, wanted: Mapping[str, str | None]
    ) -> dict[str, str | None]:
        fixed = dict(wanted)
        for name, value in self._carried(shape, who).items():
            fixed.setdefault(name, value)
        required = {
            each.name
            for each in shape.fields
            if each.required and not (each.default or each.identity or each.generated)
        }
        keyed = {
            name
            for key in shape.keys
            for name in key
            for each in [shape.field(name)]
            if each is not None and each.required and not each.generated
        }
        for reference in shape.references:
            if set(reference.columns) & (required | fixed.keys()):
                self._refer(shape, who, reference, fixed)
        for reference in self.joins.get(shape.object, ()):
            self._refer(shape, who, reference, fixed)
        turn = self._turn(shape.object, who)
        return solve(self.connection, shape, fixed, required | keyed, turn)

    def _turn(self, object: str, who: int) -> int:
        """Which of the choices to take, so that no two rows of a table have the same."""
        return who + 2 * sum((made.shape.object, made.who) == (object, who) for made in self.rows)

    def _carried(self, shape: Shape, who: int) -> dict[str, str]:
        return {
            column: value
            for (table, column), value in self.carried[who].items()
            if table == shape.object
        }

    def _refer(
        self, shape: Shape, who: int, reference: Reference, fixed: dict[str, str | None]
    ) -> None:
        pairs = list(zip(reference.columns, reference.named, strict=True))
        if reference.parent == shape.object:
            for column, named in pairs:
                itself = shape.field(named)
                if itself is None or not itself.required:
                    continue
                values = fresh(itself) or (None,)
                fixed.setdefault(named, values[self._turn(shape.object, who) % len(values)])
                each = shape.field(column)
                if each is not None and each.required:
                    fixed.setdefault(column, fixed[named])
            return
        wanted = {named: fixed[column] for column, named in pairs if column in fixed}
        parent = self.make(reference.parent, who, wanted)
        for column, named in pairs:
            if named not in parent:
                parent = self._with_value(reference.parent, who, named, wanted)
            fixed.setdefault(column, parent[named])

    def _with_value(
        self, object: str, who: int, name: str, wanted: Mapping[str, str | None]
    ) -> Mapping[str, str | None]:
        """The parent's column would fill itself: give it a value, so that it is known here."""
        shape = self.shapes[object]
        column = shape.field(name)
        values = fresh(column) if column is not None else ()
        if not values:
            raise NoRow(f"the value of {object}.{name} is not known before it is inserted")
        self.rows[:] = [
            made for made in self.rows if (made.shape.object, made.who) != (object, who)
        ]
        return self.make(object, who, {**wanted, name: values[who]})
