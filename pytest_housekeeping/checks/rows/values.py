"""What the columns of a table hold once the batch is done, of the rows as they are before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import Column, Relation
from pytest_housekeeping.checks.rows.ground import CannotAsk, Ground, unique_name
from pytest_housekeeping.checks.rows.question import Source

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A column after the batch, as an expression of the columns before; with ``generated`` of the
    others after it. ``numbered``: the next numbers of a sequence, never twice; ``volatile`` where
    it is another one each time that it is asked for."""

    expression: sql.Composable
    generated: str = ""
    numbered: bool = False
    volatile: bool = False
    converted: bool = False


def relation_before(ground: Ground, after: Relation) -> Relation:
    """The table as production has it. Raises CannotAsk for one that is new, or is written to."""
    before = ground.before.relations.get(after.oid)
    if before is None:
        raise CannotAsk("the batch makes the table")
    ground.refuse_written(after.oid)
    return before


def is_converted(ground: Ground, table: int, number: int) -> bool:
    """Whether the values of a column were converted: for another type, or by a USING alone."""
    before, after = ground.before.relations[table], ground.after.relations[table]
    was, now = before.columns.get(number), after.columns[number]
    if was is None or before.file == after.file:
        return False
    another = (was.type, was.typmod) != (now.type, now.typmod)
    return another or any(each.using != "" for each in ground.conversions(table, was, now))


def is_never_null(ground: Ground, table: int, number: int) -> bool:
    """Whether a new column has a value in each row, whatever the rows are."""
    if number in ground.before.relations[table].columns:
        return False
    column = ground.after.relations[table].columns[number]
    return column.identity or column.missing is not None or _is_numbered(ground, table, number)


def _is_numbered(ground: Ground, table: int, number: int) -> bool:
    """Whether its default is the next number of a sequence that the batch makes."""
    default = ground.details.defaults.get((table, number))
    return bool(default and default.sequence and default.sequence not in ground.before.sequences)


def value_of(ground: Ground, table: int, number: int) -> Value:
    """What a column holds. Raises CannotAsk where that is decided by more than the rows."""
    before, after = ground.before.relations[table], ground.after.relations[table]
    was, now = before.columns.get(number), after.columns[number]
    if now.generated is not None and (was is None or was.generated != now.generated):
        return Value(expression=sql.SQL(now.generated), generated=now.generated)
    if was is None:
        return _added(ground, after, now)
    column = sql.Identifier(was.name)
    if not is_converted(ground, table, number):
        if (was.type, was.typmod) == (now.type, now.typmod):
            return Value(expression=column)
        return Value(expression=ground.assigned(column, now.type, -1), converted=True)
    conversion = ground.conversion(table, was, now)
    value = sql.SQL(conversion.using) if conversion.using else column
    return Value(expression=ground.assigned(value, now.type, now.typmod), converted=True)


def _added(ground: Ground, relation: Relation, column: Column) -> Value:
    """What the rows that are there get in a new column.

    https://www.postgresql.org/docs/16/sql-altertable.html#SQL-ALTERTABLE-NOTES
    """
    if column.missing is not None:
        return Value(expression=ground.assigned(sql.Literal(column.missing), column.type, -1))
    if column.identity or _is_numbered(ground, relation.oid, column.number):
        return Value(expression=sql.SQL("NULL"), numbered=True)
    default = ground.details.defaults.get((relation.oid, column.number))
    if column.name in ground.altered.defaults:
        raise CannotAsk("its default is set or dropped by a statement of its own")
    if default is None:
        return Value(expression=_null(ground, column))
    if default.volatile and (default.uses or "nextval(" in default.text):
        raise CannotAsk("its default is another value for each row")
    ground.refuse_changed(default.uses, of=column.type)
    value = ground.assigned(sql.SQL(default.text), column.type, column.typmod)
    return Value(expression=value, volatile=default.volatile)


def _null(ground: Ground, column: Column) -> sql.Composable:
    """NULL of the type of a column; of one that production does not have yet, without it."""
    try:
        return ground.assigned(sql.SQL("NULL"), column.type, -1)
    except CannotAsk:
        return sql.SQL("NULL::text")


def source_of(
    ground: Ground, table: int, needed: Iterable[int], *, any_value: bool = False
) -> Source:
    """The rows of a table as the batch will find or make them, with the columns ``needed`` and
    those that are as they were. ``any_value``: it does not matter which value a row gets where
    that is drawn by lot. Raises CannotAsk."""
    after = ground.after.relations[table]
    before = relation_before(ground, after)
    values = dict(_values(ground, before, after, set(needed)))
    if any(each.numbered or (each.volatile and not any_value) for each in values.values()):
        raise CannotAsk("its default is another value for each row")
    taken = [each.name for each in after.columns.values()]
    place = sql.Identifier(unique_name("hk_place", taken))
    own = [number for number in before.primary_key if number in before.columns]
    keys = tuple(sql.Identifier(unique_name(f"hk_key_{number}", taken)) for number in own)
    first = [sql.SQL("ctid AS {}").format(place), sql.SQL("tableoid")]
    first += [
        sql.SQL("{} AS {}").format(sql.Identifier(before.columns[number].name), key)
        for number, key in zip(own, keys, strict=True)
    ]
    originals = {
        number: sql.Identifier(unique_name(f"hk_was_{number}", taken))
        for number, value in values.items()
        if value.converted
    }
    first += [
        sql.SQL("{} AS {}").format(sql.Identifier(before.columns[number].name), name)
        for number, name in originals.items()
    ]
    name = sql.Identifier(after.name)
    names = {number: sql.Identifier(after.columns[number].name) for number in values}
    first += [
        sql.SQL("{} AS {}").format(value.expression, names[number])
        for number, value in values.items()
        if not value.generated
    ]
    rows = sql.SQL("(SELECT {} FROM ONLY {}) AS {}").format(
        sql.SQL(", ").join(first), before.identifier, name
    )
    rows = _with_generated(after, values, rows)
    return Source(table=before.identifier, rows=rows, place=place, keys=keys, originals=originals)


def _with_generated(
    after: Relation, values: Mapping[int, Value], rows: sql.Composed
) -> sql.Composed:
    """The rows, with the columns that are generated from their others."""
    generated = [
        sql.SQL("({})::{} AS {}").format(
            value.expression,
            sql.SQL(after.columns[number].type_text),
            sql.Identifier(after.columns[number].name),
        )
        for number, value in values.items()
        if value.generated
    ]
    name = sql.Identifier(after.name)
    return (
        sql.SQL("(SELECT {}.*, {} FROM {}) AS {}").format(
            name, sql.SQL(", ").join(generated), rows, name
        )
        if generated
        else rows
    )


def _values(
    ground: Ground, before: Relation, after: Relation, needed: set[int]
) -> Iterator[tuple[int, Value]]:
    """The columns that are needed, what they are generated of, and those that are as they were."""
    wanted = {number: value_of(ground, after.oid, number) for number in needed}
    words = {word for value in wanted.values() for word in _WORD.findall(value.generated)}
    for number, column in after.columns.items():
        if number in wanted:
            yield number, wanted[number]
        elif words & set(_WORD.findall(column.name)) and column.generated is None:
            yield number, value_of(ground, after.oid, number)
        elif (
            (was := before.columns.get(number)) is not None
            and (was.type, was.typmod, was.generated)
            == (column.type, column.typmod, column.generated)
            and not is_converted(ground, after.oid, number)
        ):
            yield number, Value(expression=sql.Identifier(was.name))
