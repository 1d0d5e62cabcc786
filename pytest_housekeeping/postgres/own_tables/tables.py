"""The tool's own tables as they have to be: their columns, how they are made, and how they close.

Made by one list of columns, from which ``shape`` also takes what it expects to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedColumn:
    """A column that is NOT NULL; ``default`` as PostgreSQL prints it, ``since`` the chain: it
    lacks in a table that an earlier version has made."""

    name: str
    type: str = "text"
    default: str = ""
    identity: bool = False
    since_chain: bool = False

    @property
    def definition(self) -> str:
        identity = " GENERATED ALWAYS AS IDENTITY PRIMARY KEY" * self.identity
        function = "pg_catalog." * self.default.endswith("()")
        default = f" DEFAULT {function}{self.default}" if self.default else ""
        return f"{self.name} {self.type}{identity or ' NOT NULL'}{default}"


_NOW, _WHO = "clock_timestamp()", "CURRENT_USER"  # as pg_get_expr() prints them
_TIME = "timestamp with time zone"

TABLES: Mapping[str, tuple[ExpectedColumn, ...]] = {
    "history": (
        ExpectedColumn(name="id", type="bigint", identity=True),
        ExpectedColumn(name="run"),
        ExpectedColumn(name="source_commit"),
        ExpectedColumn(name="kind"),
        ExpectedColumn(name="path"),
        ExpectedColumn(name="sha256"),
        ExpectedColumn(name="statements", type="integer"),
        ExpectedColumn(name="duration_s", type="double precision"),
        ExpectedColumn(name="applied_at", type=_TIME, default=_NOW),
        ExpectedColumn(name="applied_by", default=_WHO),
        ExpectedColumn(name="chain", since_chain=True),
    ),
    "promotion": (
        ExpectedColumn(name="id", type="bigint", identity=True),
        ExpectedColumn(name="run"),
        ExpectedColumn(name="source_commit"),
        ExpectedColumn(name="plan_digest"),
        ExpectedColumn(name="segment", type="integer"),
        ExpectedColumn(name="segments", type="integer"),
        ExpectedColumn(name="fingerprint"),
        ExpectedColumn(name="objects"),
        ExpectedColumn(name="promoted_at", type=_TIME, default=_NOW),
        ExpectedColumn(name="promoted_by", default=_WHO),
        ExpectedColumn(name="history_chain", since_chain=True),
        ExpectedColumn(name="chain", since_chain=True),
    ),
}


def make_tables(connection: Connection, schema: str) -> None:
    """Make what is missing, in the open transaction, and close it to everybody but its owner.

    Default privileges of the owner open what it makes to others
    (https://www.postgresql.org/docs/16/sql-alterdefaultprivileges.html); so whatever was granted
    is revoked in the transaction that makes it.
    """
    there = columns_of(connection, schema)
    if there.keys() >= TABLES.keys():
        return
    name = sql.Identifier(schema)
    if not _exists(connection, schema):
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    for table in TABLES.keys() - there.keys():
        definitions = ", ".join(column.definition for column in TABLES[table])
        create = sql.SQL("CREATE TABLE {} ({})").format(
            sql.Identifier(schema, table),
            sql.SQL(definitions),
        )
        connection.execute(create)
    for statement in connection.execute(_REVOKES, (schema,)).fetchall():
        connection.execute(statement[0].encode())


def columns_of(connection: Connection, schema: str) -> Mapping[str, frozenset[str]]:
    """The column names of the own tables that are there, as ordinary tables; nothing is read."""
    rows = connection.execute(_columns_in(schema)).fetchall()
    return {table: frozenset(names) for table, names in rows if names}


@lru_cache(maxsize=8)
def _columns_in(schema: str) -> bytes:
    """The question as it is sent: parameters would make three messages of it each time."""
    known = {"tables": sql.Literal(list(TABLES)), "schema": sql.Literal(schema)}
    return sql.SQL(_COLUMNS).format(**known).as_bytes(None)


def has_columns(connection: Connection, schema: str, table: str) -> bool:
    """Whether the table is there with its columns, those of the chain all of them or none."""
    return is_expected(table, columns_of(connection, schema).get(table, frozenset()))


def is_expected(table: str, there: frozenset[str]) -> bool:
    """Whether these are the columns of the table, those of the chain all of them or none."""
    old = {column.name for column in TABLES[table] if not column.since_chain}
    new = {column.name for column in TABLES[table]} - old
    return there >= old and (there >= new or not there & new)


def are_whole(there: Mapping[str, frozenset[str]]) -> bool:
    """Whether these are both tables with their chain, so that nothing is to be made."""
    return there.keys() >= TABLES.keys() and are_chained(there)


def are_chained(there: Mapping[str, frozenset[str]]) -> bool:
    """Whether these have the columns of the chain; without tables there is none to have."""
    return all("chain" in names for names in there.values())


def _exists(connection: Connection, schema: str) -> bool:
    row = connection.execute(
        "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone()
    return row is not None


# Asked often, and planned each time: without a join that takes less than half as long.
_COLUMNS = """
SELECT c.relname::text, ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_class AS c
WHERE c.relkind = 'r' AND c.relname = ANY ({tables}) AND c.relnamespace = (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = {schema})
"""
# What anybody but the owner holds, one statement a grantee; CASCADE takes what was passed on.
_REVOKES = """
SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %%s %%s FROM %%s CASCADE', o.kind, o.name,
    CASE g.grantee WHEN 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END)
FROM (
    SELECT 'SCHEMA' AS kind, pg_catalog.quote_ident(n.nspname) AS name, n.nspacl AS acl,
        n.nspowner AS owner, n.nspname AS schema
    FROM pg_catalog.pg_namespace AS n
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        pg_catalog.format('%%I.%%I', n.nspname, c.relname), c.relacl, c.relowner, n.nspname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'S')
) AS o
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
WHERE o.schema = %s AND g.grantee <> o.owner
ORDER BY 1
"""
