"""The tables in which the tools remember what they have applied, and what a row of each says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_housekeeping.postgres.tool_history.table import TheirRow

_Rows = Iterable[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolTable:
    """What a tool calls its table, the columns that are read, and their order; ``told`` makes rows
    of them, and says up to which version there is no row. ``whole`` schemas are the tool's; so is
    the one that is called ``place``, and tables of the names ``beside`` it."""

    name: str
    columns: tuple[str, ...]
    order: str
    told: Callable[[_Rows], tuple[list[TheirRow], str]]
    ordered: bool = True
    whole: bool = False
    place: str = ""
    beside: tuple[str, ...] = ()


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
    """A row for each; the column that comes first is its version, or its name."""
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
    """A row is known by the name of its folder; one of before, or of a table that has no names, by
    the moment at which its file was made."""
    found = []
    for _, made, digest, *named in rows:
        name = next(filter(None, named), "")
        said = name or f"the file made at {made}"
        found.append(TheirRow(version=name or str(made), name=said, checksum=digest))
    return found, ""


def _tern(rows: _Rows) -> tuple[list[TheirRow], str]:
    """One row: everything up to it is there; 0 is nothing."""
    return [], "".join(str(version) for (version,) in rows if version)


def _liquibase(rows: _Rows) -> tuple[list[TheirRow], str]:
    """https://docs.liquibase.com/concepts/tracking-tables/databasechangelog-table.html; checksums
    of before version 9 hang on attributes as well, and are not worked out again."""
    found = []
    for _, _, author, identity, file, kind, checksum in rows:
        path = file.replace("\\", "/").removeprefix("classpath:").lstrip("/")
        found.append(
            TheirRow(
                version=f"{path}::{author}::{identity}",
                name=f"{author}:{identity} of {file}",
                checksum=checksum if (checksum or "").startswith("9:") else "",
                fault="it failed" if kind == "FAILED" else "",
                by_file=True,
            )
        )
    return found, ""


_DRIZZLE = ToolTable(
    name="__drizzle_migrations",
    columns=("id", "created_at", "hash"),
    order="id",
    told=_drizzle,
    place="drizzle",
)
_LIQUIBASE_ORDER = ("dateexecuted", "orderexecuted")
# refinery names its files as Flyway does, pop as golang-migrate; the table of Drizzle has had no
# names before.
ALIKE: Mapping[str, ToolTable] = {
    "golang-migrate": ToolTable(
        name="schema_migration",
        columns=("version",),
        order="version",
        told=_versions,
        ordered=False,
    ),
    "drizzle": _DRIZZLE,
    "flyway": ToolTable(
        name="refinery_schema_history",
        columns=("version", "name"),
        order="version",
        told=lambda rows: ([TheirRow(version=str(v), name=f"{v} {name}") for v, name in rows], ""),
        ordered=False,
    ),
}
TABLES: Mapping[str, ToolTable] = {
    "flyway": ToolTable(
        name="flyway_schema_history",
        columns=("installed_rank", "version", "type", "script", "checksum", "success"),
        order="installed_rank",
        told=_flyway,
    ),
    "dbmate": ToolTable(
        name="schema_migrations",
        columns=("version",),
        order="version",
        told=_versions,
        ordered=False,
    ),
    "goose": ToolTable(
        name="goose_db_version",
        columns=("id", "version_id", "is_applied"),
        order="id",
        told=_goose,
    ),
    "golang-migrate": ToolTable(
        name="schema_migrations",
        columns=("version", "dirty"),
        order="version",
        told=_golang_migrate,
        ordered=False,
    ),
    "supabase": ToolTable(
        name="schema_migrations",
        columns=("version", "statements"),
        order="version",
        told=_versions,
        ordered=False,
        whole=True,
    ),
    "prisma": ToolTable(
        name="_prisma_migrations",
        columns=("started_at", "migration_name", "checksum", "finished_at", "rolled_back_at"),
        order="started_at migration_name",
        told=_prisma,
    ),
    "sqitch": ToolTable(
        name="changes",
        columns=("committed_at", "change_id", "change", "script_hash"),
        order="committed_at",
        told=_sqitch,
        whole=True,
    ),
    "diesel": ToolTable(
        name="__diesel_schema_migrations",
        columns=("version", "run_on"),
        order="run_on version",
        told=_versions,
    ),
    "sqlx": ToolTable(
        name="_sqlx_migrations",
        columns=("version", "description", "success", "checksum"),
        order="version",
        told=_sqlx,
        ordered=False,
    ),
    "atlas": ToolTable(
        name="atlas_schema_revisions",
        columns=("executed_at", "version", "type", "applied", "total", "error"),
        order="executed_at version",
        told=_atlas,
        place="atlas_schema_revisions",
    ),
    "drizzle": replace(_DRIZZLE, columns=("id", "created_at", "hash", "name")),
    "sql-migrate": ToolTable(
        name="gorp_migrations",
        columns=("id", "applied_at"),
        order="applied_at id",
        told=_versions,
    ),
    "tern": ToolTable(
        name="schema_version", columns=("version",), order="version", told=_tern, ordered=False
    ),
    "rambler": ToolTable(
        name="migrations",
        columns=("migration",),
        order="migration",
        told=_versions,
        ordered=False,
    ),
    "liquibase": ToolTable(
        name="databasechangelog",
        columns=(*_LIQUIBASE_ORDER, "author", "id", "filename", "exectype", "md5sum"),
        order=" ".join(_LIQUIBASE_ORDER),
        told=_liquibase,
        beside=("databasechangeloglock",),
    ),
    "node-pg-migrate": ToolTable(
        name="pgmigrations", columns=("name", "id"), order="id", told=_versions
    ),
}
