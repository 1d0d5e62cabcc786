"""The tables that the tool keeps in the target, in the schema that the settings name."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection

_CREATE = sql.SQL(
    "CREATE SCHEMA IF NOT EXISTS {schema};"
    " CREATE TABLE IF NOT EXISTS {schema}.{table}"
    " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns})"
)


def make_table(
    connection: Connection, schema: str, table: str, columns: LiteralString
) -> sql.Composed:
    """Make the table where it is missing, with a counted ``id`` and these columns; its name."""
    connection.execute(
        _CREATE.format(
            schema=sql.Identifier(schema), table=sql.Identifier(table), columns=sql.SQL(columns)
        )
    )
    return table_name(schema, table)


def table_name(schema: str, table: str) -> sql.Composed:
    return sql.Composed([sql.Identifier(schema, table)])


def is_there(connection: Connection, schema: str, table: str) -> bool:
    """Whether a promotion has made the table already."""
    row = connection.execute(
        "SELECT pg_catalog.to_regclass(pg_catalog.quote_ident(%s) || '.' || %s) IS NOT NULL",
        (schema, table),
    ).fetchone()
    return bool(row and row[0])
