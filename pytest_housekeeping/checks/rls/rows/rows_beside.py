"""What a policy wants of other tables: the rows that must stand beside one of its own table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    Column,
    PolicyReading,
    Relation,
)
from pytest_housekeeping.checks.rls.rows.table_shape import ParentReference
from pytest_housekeeping.checks.rls.tables import ProtectedTable


def reading_too(
    name: str, objects: Mapping[Relation, str], readings: Mapping[str, PolicyReading]
) -> Iterator[PolicyReading]:
    """What a table's policies look at, and what those of the tables do that they read."""
    seen, waiting = {name}, [name]
    while waiting:
        reading = readings[waiting.pop()]
        yield reading
        for relation in reading.relations:
            other = objects.get(relation, "")
            if other and other not in seen:
                seen.add(other)
                waiting.append(other)


def asked_for(
    readings: Iterable[PolicyReading], objects: Mapping[Relation, str], without: Collection[str]
) -> Mapping[str, Mapping[str, str]]:
    """The values that policies ask for in rows, by table and column: one's role in a team, say.
    Tables ``without`` are left out."""
    found: dict[str, dict[str, str]] = {}
    for reading in readings:
        for item in reading.column_constants:
            table = objects.get((item.schema, item.table))
            if table is not None and table not in without:
                found.setdefault(table, {}).setdefault(item.column, item.value)
    return found


def joins_of(
    table: ProtectedTable, reading: PolicyReading, objects: Mapping[Relation, str]
) -> tuple[ParentReference, ...]:
    """The columns of other tables that must have the value of a column of this one."""
    itself = (table.schema, table.name)
    # Columns that are equal to each other, over any number of comparisons.
    equal: list[set[Column]] = []
    for link in reading.links:
        merged = {link.one, link.other}
        for each in [each for each in equal if each & merged]:
            equal.remove(each)
            merged |= each
        equal.append(merged)
    found: dict[str, dict[str, str]] = {}
    for columns in equal:
        own = sorted(column for relation, column in columns if relation == itself)
        for relation, column in sorted(columns):
            if own and relation != itself and relation in objects:
                found.setdefault(objects[relation], {})[column] = own[0]
    return tuple(
        ParentReference(columns=tuple(pairs.values()), parent=parent, parent_columns=tuple(pairs))
        for parent, pairs in sorted(found.items())
    )
