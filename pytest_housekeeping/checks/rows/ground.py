"""Both states of the copy, and what the batch says of itself: what questions are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import Column, Relation, RowCatalog
from pytest_housekeeping.checks.rows.conversions import Altered, Conversion
from pytest_housekeeping.checks.rows.details import (
    Dependency,
    Details,
    changed_functions,
    changed_use,
)
from pytest_housekeeping.checks.rows.writes import Writes


class CannotAsk(Exception):
    """Why a question cannot be put to production's rows."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """``before`` and ``after`` the batch; how the new is written, and what the files say."""

    before: RowCatalog
    after: RowCatalog
    details: Details
    altered: Altered
    writes: Writes

    @cached_property
    def _changed_functions(self) -> frozenset[str]:
        return changed_functions(self.before, self.after)

    def refuse_written(self, *tables: int) -> None:
        """Raises CannotAsk where the rows of a table are others when they are looked at."""
        for table in tables:
            why = self.writes.of(table)
            if why:
                raise CannotAsk(why)

    def refuse_changed(self, uses: Iterable[Dependency], *, of: int = 0) -> None:
        """Raises CannotAsk where an expression is not in production what it is on the copy; the
        domain that it is ``of`` does not count: what that is made of is asked instead."""
        own = {("pg_type", domain) for domain in self.after.domains_of(of)}
        why = changed_use(
            self.before,
            self.after,
            [each for each in uses if each not in own],
            self._changed_functions,
        )
        if why:
            raise CannotAsk(why)

    def refuse_changed_type(self, type_: int) -> None:
        """The same of a type of values."""
        self.refuse_changed([("pg_type", type_)])

    def lines(self, table: int) -> Iterator[Relation]:
        """A table and all above it, as they were."""
        relation = self.before.relations.get(table)
        if relation is None:
            return
        yield relation
        for parent in relation.parents:
            yield from self.lines(parent)

    def conversions(self, table: int, was: Column, now: Column) -> list[Conversion]:
        """What the files write about the type of a column, of the table or one above it."""
        named = {
            (each.schema, each.name)
            for catalog in (self.before, self.after)
            for line in self.lines(table)
            if (each := catalog.relations.get(line.oid)) is not None
        }
        return [
            each
            for each in self.altered.conversions
            if each.column in (was.name, now.name)
            and any(each.table == name and each.schema in ("", schema) for schema, name in named)
        ]

    def conversion(self, table: int, was: Column, now: Column) -> Conversion:
        """How the files convert a column. Raises CannotAsk where that is not written once."""
        found = self.conversions(table, was, now)
        if not found:
            raise CannotAsk("no statement of a file says how its values are converted")
        if len(found) > 1:
            raise CannotAsk("it gets another type more than once")
        if found[0].using is None:
            raise CannotAsk("its USING cannot be repeated")
        self._refuse_moved(table, was, found[0].reads)
        return found[0]

    def _refuse_moved(self, table: int, column: Column, reads: frozenset[str]) -> None:
        """What USING reads beside the column has to be there as it is when it is computed."""
        before, after = self.before.relations[table], self.after.relations[table]
        for number in before.columns.keys() | after.columns.keys():
            was, now = before.columns.get(number), after.columns.get(number)
            names = {each.name for each in (was, now) if each is not None}
            if not names & reads or number == column.number:
                continue
            if (
                was is None
                or now is None
                or (was.name, was.type, was.typmod) != (now.name, now.type, now.typmod)
            ):
                raise CannotAsk("its USING reads a column that the batch changes as well")

    def assigned(self, value: sql.Composable, type_: int, typmod: int) -> sql.Composable:
        """A value as ALTER TYPE puts it into a type: what does not fit is an error, where a cast
        that is written out would cut it off. Of a domain, what it is made of.

        https://www.postgresql.org/docs/16/sql-createcast.html
        """
        base, limit = self.after.base_of(type_)
        limit = limit if base != type_ else typmod
        found = self.after.types.get(base)
        if found is None:
            raise CannotAsk("it gets a type that is a row of a table")
        self.refuse_changed_type(base)
        cast = sql.SQL("({})::{}").format(value, sql.SQL(found.name))
        if limit < 0:
            return cast
        if found.element:
            return self._fitted_array(cast, found.element, limit)
        return self._fitted(cast, base, limit)

    def _fitted(self, value: sql.Composable, type_: int, limit: int) -> sql.Composable:
        if type_ not in self.details.lengths:
            return value
        schema, name, arguments = self.details.lengths[type_]
        given: list[sql.Composable] = [value, sql.Literal(limit), sql.SQL("false")]
        return sql.SQL("{}({})").format(
            sql.Identifier(schema, name), sql.SQL(", ").join(given[:arguments])
        )

    def _fitted_array(self, value: sql.Composable, type_: int, limit: int) -> sql.Composable:
        fitted = self._fitted(sql.SQL("hk_element"), type_, limit)
        return sql.SQL(
            "CASE WHEN {} IS NOT NULL THEN ARRAY(SELECT {} FROM pg_catalog.unnest({})"
            " AS hk_element) END"
        ).format(value, fitted, value)


def unique_name(name: str, taken: Sequence[str]) -> str:
    """The name, or one like it that none of ``taken`` is."""
    while name in taken:
        name = f"{name}_"
    return name
