"""Values for a column that policies look into: those that are there, and what policies ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.identities.visible_rows import OwnedRows
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable
from pytest_housekeeping.checks.rules.attempts import Attempt
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.postgres.connection import Connection

_DISTINCT = 6
_NUMBERS = ("0", "1", "32767")
_ENDS = ("infinity", "-infinity")
# What a policy may ask of a column without naming a value that the column must have.
_TYPICAL: Mapping[str, Sequence[str]] = {
    "boolean": ("true", "false"),
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real"), _NUMBERS),
    **dict.fromkeys(("date", "timestamp with time zone", "timestamp without time zone"), _ENDS),
}


def values_there(
    connection: Connection, asked: Sequence[tuple[ProtectedTable, Column]]
) -> Mapping[tuple[str, str], Sequence[str]]:
    """Some distinct values of each column, read past the policies."""
    unique = list(dict.fromkeys(asked))
    results = attempt_together(
        connection,
        [
            Attempt(
                setup=table.no_force,
                statement="SELECT pg_catalog.jsonb_agg(s.value) FROM (SELECT DISTINCT"
                f" {column.quoted}::text AS value FROM {table.object}"
                f" WHERE {column.quoted} IS NOT NULL LIMIT {_DISTINCT}) AS s",
            )
            for table, column in unique
        ],
    )
    return {
        (table.object, column.name): result.value or ()
        for (table, column), result in zip(unique, results, strict=True)
    }


def values_wanted(
    pair: IdentityPair,
    functions: Functions,
    table: ProtectedTable,
    column: Column,
    others: OwnedRows,
) -> Iterator[str | None]:
    """What the policies compare the column with: values that they hold, or the other's row has."""
    reading = read_policies(pair.table, functions)
    place = ((table.schema, table.name), column.name)
    itself = (pair.table.schema, pair.table.name)
    for constant in reading.column_constants:
        if ((constant.schema, constant.table), constant.column) == place:
            yield constant.value
    for link in reading.links:
        ends = {link.one, link.other}
        if place in ends:
            names = [name for relation, name in ends - {place} if relation == itself]
            yield from (value for name in names if (value := others.values.get(name)) is not None)
    yield from _TYPICAL.get(column.type, ())
    if not column.required:
        yield None
