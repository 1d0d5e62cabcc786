"""Grants of USAGE on the schemas that a policy's text names, for the moment of asking.

A policy stores its functions by OID, so whoever queries the table needs no USAGE on their schemas.
To try its text as the role, names have to be looked up, and for that the role needs it:
https://www.postgresql.org/docs/16/ddl-priv.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.names import schemas_in
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection


def usage_grants(
    connection: Connection, asked: Sequence[tuple[str, str, frozenset[str]]]
) -> list[tuple[str, str]]:
    """For each role, condition and schemas of the types that its row source names: the GRANT
    statements that the role needs, and a schema on which the migrator may not grant USAGE, '' where
    there is none."""
    needed = [_schemas(condition, type_schemas) for _, condition, type_schemas in asked]
    pairs = {
        (role, schema)
        for (role, _, _), schemas in zip(asked, needed, strict=True)
        for schema in schemas
    }
    grantable = _without_usage(connection, pairs)
    found = []
    for (role, _, _), schemas in zip(asked, needed, strict=True):
        grants, closed_schema = "", ""
        for schema in sorted(schemas):
            may_grant = grantable.get((role, schema))
            if may_grant:
                grant = sql.SQL("GRANT USAGE ON SCHEMA {} TO {};")
                grants += grant.format(sql.Identifier(schema), sql.Identifier(role)).as_string()
            elif may_grant is not None:
                closed_schema = schema
        found.append((grants, closed_schema))
    return found


def _schemas(condition: str, type_schemas: frozenset[str]) -> frozenset[str]:
    """The schemas of what the condition names, and of the types of the columns."""
    try:
        named = schemas_in(condition)
    except UnreadableExpression:
        named = frozenset()
    return (named | type_schemas) - {"pg_catalog"}


def _without_usage(
    connection: Connection, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], bool]:
    """The schemas on which a role has no USAGE, and whether the migrator may grant it."""
    listed = sorted(pairs)
    if not listed:
        return {}
    (rows,) = run_readonly(
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
    return {(role, schema): may_grant for role, schema, may_grant in rows}
