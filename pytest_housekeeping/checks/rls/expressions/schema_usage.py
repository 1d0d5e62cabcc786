"""Let a role into the schemas that a policy's text names, for the moment of asking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.rewrite import Unreadable, schemas_of
from pytest_housekeeping.checks.rls.tables import Subject
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection


def entrances(
    connection: Connection, asked: Sequence[tuple[Subject, str, str]]
) -> list[tuple[str, str]]:
    """For each table, role and condition: what lets the role in, and the schema it cannot enter.

    A policy finds its functions by number, its text by name: for that the role must be able to
    enter their schemas.
    """
    needed = [_named(subject, condition) for subject, _, condition in asked]
    pairs = {
        (role, each) for (_, role, _), names in zip(asked, needed, strict=True) for each in names
    }
    barred = _barred(connection, pairs)
    found = []
    for (_, role, _), names in zip(asked, needed, strict=True):
        setup, shut = "", ""
        for schema in sorted(names):
            mine = barred.get((role, schema))
            if mine:
                grant = sql.SQL("GRANT USAGE ON SCHEMA {} TO {};")
                setup += grant.format(sql.Identifier(schema), sql.Identifier(role)).as_string()
            elif mine is not None:
                shut = schema
        found.append((setup, shut))
    return found


def _named(subject: Subject, condition: str) -> frozenset[str]:
    try:
        named = schemas_of(condition)
    except Unreadable:
        named = frozenset()
    return (named | {column.type_schema for column in subject.columns}) - {"pg_catalog"}


def _barred(
    connection: Connection, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], bool]:
    """The schemas that a role may not use, and whether we may change that."""
    listed = sorted(pairs)
    if not listed:
        return {}
    row = run_readonly(
        connection,
        sql.SQL(
            "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
            "p.role, p.schema, pg_catalog.pg_has_role(n.nspowner, 'USAGE'))), '[]')"
            " FROM ROWS FROM (pg_catalog.unnest({}::text[]), pg_catalog.unnest({}::text[]))"
            " AS p (role, schema)"
            " INNER JOIN pg_catalog.pg_namespace AS n ON p.schema = n.nspname"
            " WHERE NOT pg_catalog.has_schema_privilege(p.role, n.oid, 'USAGE')"
        )
        .format(
            sql.Literal([role for role, _ in listed]), sql.Literal([each for _, each in listed])
        )
        .as_bytes(connection),
    )
    return {(role, schema): mine for role, schema, mine in row[0]}
