"""The table of each tool, read: what it has applied, and what of that stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, ProofFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.tool_history.table import (
    TheirHistory,
    TheirRow,
    find_table,
    owner_of,
    parts_of,
)
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.layouts.known import layout_of

_Rows = Iterable[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """What a tool calls its table, the columns that are read, and their order; ``told`` makes rows
    of them, and says up to which version there is no row. ``whole`` schemas are the tool's; so is
    the one that is called ``place``."""

    name: str
    columns: tuple[str, ...]
    order: str
    told: Callable[[_Rows], tuple[list[TheirRow], str]]
    ordered: bool = True
    whole: bool = False
    place: str = ""


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
        parts=parts_of(connection, schema, name),
        schema=schema if table.whole or schema == table.place else "",
        owner=owner_of(connection, schema, name),
    )


def _located(connection: Connection, config: Config) -> tuple[_Table, str, str]:
    """The table of the layout's tool, or of another one that reads the same files; where it is."""
    layout = layout_of(config)

    def found(table: _Table) -> tuple[_Table, str, str]:
        at = find_table(
            connection, layout.tool, table.name, table.columns, said=config.tool_history
        )
        return (table, *at)

    try:
        return found(_TABLES[layout.name])
    except MisuseError:
        if layout.name in _ALIKE:
            with suppress(MisuseError):
                return found(_ALIKE[layout.name])
        raise


def has_reader(config: Config) -> bool:
    """Whether the layout's tool keeps a history that can be read."""
    return layout_of(config).name in _TABLES


def their_own(connection: Connection, config: Config) -> TheirHistory | None:
    """The same, None where the layout's tool has left nothing here."""
    try:
        return read_their_history(connection, config) if has_reader(config) else None
    except MisuseError:
        return None


def _flyway(rows: _Rows) -> tuple[list[TheirRow], str]:
    """https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html"""
    standing: dict[tuple[bool, str], TheirRow] = {}
    up_to = ""
    for _, version, kind, script, checksum, success in rows:
        if kind == "BASELINE":
            up_to = version
            continue
        if kind in ("SCHEMA", None):
            continue
        key = (version is None, version or script)
        if kind.startswith("UNDO") or kind == "DELETE":
            standing.pop(key, None)
            continue
        code = not kind.startswith("SQL")
        fault = "it failed" if not success else "it is no SQL" if code else ""
        standing.pop(key, None)
        standing[key] = TheirRow(
            version=version or script,
            name=script,
            checksum="" if checksum is None else str(checksum),
            fault=fault,
            repeatable=version is None,
        )
    return list(standing.values()), up_to


def _versions(rows: _Rows) -> tuple[list[TheirRow], str]:
    return [TheirRow(version=str(row[0]), name=str(row[0])) for row in rows], ""


def _golang_migrate(rows: _Rows) -> tuple[list[TheirRow], str]:
    """One row: everything up to it is there."""
    for version, dirty in rows:
        if dirty:
            row = TheirRow(version=str(version), name=str(version), fault="it is dirty")
            return [row], ""
        return [], str(version)
    return [], ""


def _goose(rows: _Rows) -> tuple[list[TheirRow], str]:
    """A row each time that a version went up or down; 0 is none."""
    standing: dict[str, TheirRow] = {}
    for _, version, applied in rows:
        standing.pop(str(version), None)
        if applied and version:
            standing[str(version)] = TheirRow(version=str(version), name=str(version))
    return list(standing.values()), ""


def _prisma(rows: _Rows) -> tuple[list[TheirRow], str]:
    """https://www.prisma.io/docs/orm/prisma-migrate/workflows/patching-and-hotfixing"""
    return [
        TheirRow(version=name, name=name, checksum=checksum, fault="" if finished else "it failed")
        for _, name, checksum, finished, rolled_back in rows
        if rolled_back is None
    ], ""


def _sqlx(rows: _Rows) -> tuple[list[TheirRow], str]:
    return [
        TheirRow(
            version=str(version),
            name=f"{version} {description}",
            checksum=bytes(checksum).hex(),
            fault="" if success else "it failed",
        )
        for version, description, success, checksum in rows
    ], ""


def _sqitch(rows: _Rows) -> tuple[list[TheirRow], str]:
    """What stands; what was reverted is in no row of it any more."""
    return [
        TheirRow(version=identity, name=change, checksum=script or "")
        for _, identity, change, script in rows
    ], ""


def _atlas(rows: _Rows) -> tuple[list[TheirRow], str]:
    """https://atlasgo.io/versioned/apply; a baseline has one row of its own, of type 1."""
    found = []
    up_to = ""
    for _, version, kind, applied, total, error in rows:
        if version.startswith("."):  # what Atlas keeps there about itself
            continue
        if kind == 1:
            up_to = version
            continue
        half = f"{applied} of {total} statements of it ran" if applied < total else ""
        found.append(TheirRow(version=version, name=version, fault="it failed" if error else half))
    return found, up_to


def _drizzle(rows: _Rows) -> tuple[list[TheirRow], str]:
    """A row is known by the moment at which its file was made."""
    return [
        TheirRow(version=str(made), name=f"the file made at {made}", checksum=digest)
        for _, made, digest in rows
    ], ""


# refinery names its files as Flyway does.
_ALIKE: Mapping[str, _Table] = {
    "flyway": _Table(
        name="refinery_schema_history",
        columns=("version", "name"),
        order="version",
        told=lambda rows: ([TheirRow(version=str(v), name=f"{v} {name}") for v, name in rows], ""),
        ordered=False,
    ),
}
_TABLES: Mapping[str, _Table] = {
    "flyway": _Table(
        name="flyway_schema_history",
        columns=("installed_rank", "version", "type", "script", "checksum", "success"),
        order="installed_rank",
        told=_flyway,
    ),
    "dbmate": _Table(
        name="schema_migrations",
        columns=("version",),
        order="version",
        told=_versions,
        ordered=False,
    ),
    "goose": _Table(
        name="goose_db_version",
        columns=("id", "version_id", "is_applied"),
        order="id",
        told=_goose,
    ),
    "golang-migrate": _Table(
        name="schema_migrations",
        columns=("version", "dirty"),
        order="version",
        told=_golang_migrate,
        ordered=False,
    ),
    "supabase": _Table(
        name="schema_migrations",
        columns=("version", "statements"),
        order="version",
        told=_versions,
        ordered=False,
        whole=True,
    ),
    "prisma": _Table(
        name="_prisma_migrations",
        columns=("started_at", "migration_name", "checksum", "finished_at", "rolled_back_at"),
        order="started_at migration_name",
        told=_prisma,
    ),
    "sqitch": _Table(
        name="changes",
        columns=("committed_at", "change_id", "change", "script_hash"),
        order="committed_at",
        told=_sqitch,
        whole=True,
    ),
    "diesel": _Table(
        name="__diesel_schema_migrations",
        columns=("version", "run_on"),
        order="run_on version",
        told=_versions,
    ),
    "sqlx": _Table(
        name="_sqlx_migrations",
        columns=("version", "description", "success", "checksum"),
        order="version",
        told=_sqlx,
        ordered=False,
    ),
    "atlas": _Table(
        name="atlas_schema_revisions",
        columns=("executed_at", "version", "type", "applied", "total", "error"),
        order="executed_at version",
        told=_atlas,
        place="atlas_schema_revisions",
    ),
    "drizzle": _Table(
        name="__drizzle_migrations",
        columns=("id", "created_at", "hash"),
        order="id",
        told=_drizzle,
        place="drizzle",
    ),
}
