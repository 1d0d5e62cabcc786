"""Make a setting absent again: PostgreSQL forgets no custom setting until the session ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.postgres.connection import Connection, rolled_back


@contextmanager
def context_absent(
    connection: Connection, context: Sequence[str], scope: RuleScope
) -> Iterator[tuple[str, ...]]:
    """Inside, no setting of the context has ever been set, as far as policies can tell.

    Once set, a custom setting reads '' for the rest of the session, never NULL again:
    https://www.postgresql.org/docs/16/functions-admin.html. So where one has been set already,
    the policies and functions that name it are made to name one that never was; all of it is
    rolled back. Yields what could not be rewritten: it still reads ''.
    """
    row = run_readonly(
        connection,
        sql.SQL(
            "SELECT ARRAY(SELECT s FROM pg_catalog.unnest({}::text[]) AS s"
            " WHERE pg_catalog.current_setting(s, true) IS NOT NULL)"
        )
        .format(sql.Literal(list(context)))
        .as_bytes(connection),
    )
    used: list[str] = row[0]
    with rolled_back(connection):
        yield tuple(_rewrite(connection, used, scope)) if used else ()


def _rewrite(connection: Connection, used: Sequence[str], scope: RuleScope) -> Iterator[str]:
    names = re.compile("|".join(f"'{re.escape(name)}'" for name in used), re.IGNORECASE)
    text = scoped_query(connection, scope, _QUERY)
    (items,) = run_readonly(
        connection,
        text.replace(b"%names%", sql.Literal([f"%{name}%" for name in used]).as_bytes(connection)),
    )
    for item in items:
        statement = _statement(item, names)
        if not statement:
            continue
        try:
            with connection_savepoint(connection):
                connection.execute(statement.encode())
        except psycopg.Error:
            yield item["object"]


@contextmanager
def connection_savepoint(connection: Connection) -> Iterator[None]:
    """A savepoint that is kept, unless an error leaves it."""
    connection.execute("SAVEPOINT hk_rewrite")
    try:
        yield
    except psycopg.Error:
        connection.execute("ROLLBACK TO SAVEPOINT hk_rewrite")
        raise
    finally:
        connection.execute("RELEASE SAVEPOINT hk_rewrite")


def _statement(item: dict[str, Any], names: re.Pattern[str]) -> str:
    def never_set(match: re.Match[str]) -> str:
        return f"'hk_absent.{re.sub(r'[^a-z0-9_]', '_', match[0].strip(chr(39)).lower())}'"

    if item["definition"]:
        changed = names.sub(never_set, item["definition"])
        return changed if changed != item["definition"] else ""
    parts = [
        f"{word} ({names.sub(never_set, item[key])})"
        for word, key in (("USING", "using"), ("WITH CHECK", "check"))
        if item[key] and names.search(item[key])
    ]
    return f"ALTER POLICY {item['object']} {' '.join(parts)}" if parts else ""


_QUERY = """,
hk_named_in AS (
    SELECT
        'function' AS kind,
        pg_catalog.format('%I.%I', n.nspname, f.proname) AS object,
        pg_catalog.pg_get_functiondef(f.oid) AS definition,
        NULL AS using_expression,
        NULL AS check_expression
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE
        n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND f.prokind IN ('f', 'p')
        AND (
            f.prosrc ILIKE ANY (%names%::text[])
            OR (
                f.prosqlbody IS NOT NULL
                AND pg_catalog.pg_get_functiondef(f.oid) ILIKE ANY (%names%::text[])
            )
        )
    UNION ALL
    SELECT 'policy', p.object, NULL, p.using_expression, p.check_expression
    FROM hk_policy AS p
    WHERE
        p.using_expression ILIKE ANY (%names%::text[])
        OR p.check_expression ILIKE ANY (%names%::text[])
)
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
    'object', n.object,
    'definition', n.definition,
    'using', n.using_expression,
    'check', n.check_expression
) ORDER BY n.kind, n.object), '[]')
FROM hk_named_in AS n
"""
