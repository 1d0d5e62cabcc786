"""Settings as if they had never been set: PostgreSQL forgets none until the session ends.

Once set, a custom setting reads '' for the rest of the session, also after RESET and after the
transaction that set it is rolled back, and never NULL again. So where a setting of the context has
been set already, the policies and functions that name it are made to name one that never was, in a
savepoint that is rolled back. https://www.postgresql.org/docs/16/functions-admin.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.postgres.connection import Connection, rolled_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewriting:
    """What was done for settings that had been set: ``any`` tells whether anything was, and for
    the policies and functions that are ``left`` they still read ''."""

    any: bool
    left: tuple[str, ...] = ()


@contextmanager
def settings_never_set(
    connection: Connection, context: Sequence[str], scope: RuleScope
) -> Iterator[Rewriting]:
    """Inside, no setting of the context has ever been set, as far as policies can tell."""
    row = run_readonly(
        connection,
        sql.SQL(
            "SELECT ARRAY(SELECT s FROM pg_catalog.unnest({}::text[]) AS s"
            " WHERE pg_catalog.current_setting(s, true) IS NOT NULL)"
        )
        .format(sql.Literal(list(context)))
        .as_bytes(connection),
    )
    already_set: list[str] = row[0]
    with rolled_back(connection):
        left = tuple(_rewrite(connection, already_set, scope)) if already_set else ()
        yield Rewriting(any=bool(already_set), left=left)


def _rewrite(connection: Connection, already_set: Sequence[str], scope: RuleScope) -> Iterator[str]:
    """Rewrite what names one of the settings; yields what could not be, by its name."""
    # Names of settings are not case-sensitive, and stand in functions and policies as literals.
    names = re.compile("|".join(f"'{re.escape(name)}'" for name in already_set), re.IGNORECASE)
    patterns = sql.Literal([f"%{name}%" for name in already_set]).as_bytes(connection)
    text = scoped_query(connection, scope, _QUERY).replace(b"%names%", patterns)
    (items,) = run_readonly(connection, text)
    for item in items:
        statement = _statement(item, names)
        if not statement:
            continue
        # What belongs to another role cannot be rewritten, which must not undo the others.
        try:
            with _savepoint(connection):
                connection.execute(statement.encode())
        except psycopg.Error:
            yield item["object"]


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
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
    """The statement that makes a function or policy name another setting, '' if there is nothing
    to change."""

    def never_set(match: re.Match[str]) -> str:
        name = re.sub(r"[^a-z0-9_]", "_", match[0].strip("'").lower())
        return f"'hk_absent.{name}'"

    if item["definition"]:
        changed = names.sub(never_set, item["definition"])
        return changed if changed != item["definition"] else ""
    clauses = [
        f"{word} ({names.sub(never_set, item[key])})"
        for word, key in (("USING", "using"), ("WITH CHECK", "check"))
        if item[key] and names.search(item[key])
    ]
    return f"ALTER POLICY {item['object']} {' '.join(clauses)}" if clauses else ""


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
