"""The table of each tool, read: what it has applied, and what of that stands."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, ProofFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.tool_history.table import (
    TheirHistory,
    find_table,
    owner_of,
    parts_of,
)
from pytest_housekeeping.postgres.tool_history.tables import ALIKE, TABLES, ToolTable
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.layouts.known import layout_of


def read_their_history(connection: Connection, config: Config) -> TheirHistory:
    """What the tool of a project's layout has applied here. Raises MisuseError where its table is
    not found, ProofFailed where it may not be read."""
    layout = layout_of(config)
    table, schema, name = _located(connection, config)
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        sql.Identifier(schema, name),
        sql.SQL(", ").join(map(sql.Identifier, table.order.split())),
    )
    try:
        rows, up_to = table.told(connection.execute(query).fetchall())
    except psycopg.errors.InsufficientPrivilege as error:
        raise ProofFailed(
            f"{schema}.{name} may not be read: {error.diag.message_primary}",
            why=f"it is where {layout.tool} remembers what it has applied",
            fix=f"GRANT SELECT ON {quoted(schema, name)} TO {quoted(connection.info.user)};",
        ) from None
    return TheirHistory(
        table=f"{schema}.{name}",
        rows=tuple(rows),
        up_to=up_to,
        ordered=table.ordered,
        parts=parts_of(connection, schema, name, *table.beside),
        schema=schema if table.whole or schema == table.place else "",
        owner=owner_of(connection, schema, name),
    )


def _located(connection: Connection, config: Config) -> tuple[ToolTable, str, str]:
    """The table of the layout's tool, or of another one that reads the same files; where it is."""
    layout = layout_of(config)

    def found(table: ToolTable) -> tuple[ToolTable, str, str]:
        at = find_table(
            connection, layout.tool, table.name, table.columns, said=config.tool_history
        )
        return (table, *at)

    try:
        return found(TABLES[layout.name])
    except MisuseError:
        if layout.name in ALIKE:
            with suppress(MisuseError):
                return found(ALIKE[layout.name])
        raise


def has_reader(config: Config) -> bool:
    """Whether the layout's tool keeps a history that can be read."""
    return layout_of(config).name in TABLES


def their_own(connection: Connection, config: Config) -> TheirHistory | None:
    """The same, None where the layout's tool has left nothing here."""
    try:
        return read_their_history(connection, config) if has_reader(config) else None
    except MisuseError:
        return None
