"""Prisma Migrate: ``20240131120000_name/migration.sql`` by folder, ``down.sql`` beside it back.

https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.folders import folders_in, lacking
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing

_LOCK = "migration_lock.toml"
_PROVIDERS = ("postgresql", "postgres", "cockroachdb")


def _listing(ground: Ground) -> Listing:
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    errors = list(_wrong_lock(ground))
    for name, files in folders_in(ground):
        up, down = ground.at(name, "migration.sql"), ground.at(name, "down.sql")
        if "migration.sql" not in files:
            errors.append(lacking(ground.at(name), "migration.sql", "Prisma"))
            continue
        migrations.append(Entry(path=up, kind=Kind.MIGRATION, version=name, rollback=down))
        if "down.sql" in files:
            rollbacks.append(Entry(path=down, kind=Kind.ROLLBACK, undoes=up))
    return Listing(entries=(*migrations, *rollbacks), errors=tuple(errors))


def _wrong_lock(ground: Ground) -> Iterator[SqlFileError]:
    path = ground.at(_LOCK)
    if not ground.files.has(path):
        return
    try:
        provider = tomllib.loads(ground.files.read(path).decode()).get("provider")
    except ValueError:
        provider = "nothing that can be read"
    if provider not in _PROVIDERS:
        yield SqlFileError(
            f"{path} says that these migrations are for {provider}",
            why="they were written for another kind of database",
            fix="name the folder of those for PostgreSQL: migrations = …",
        )


LAYOUT = Layout(name="prisma", tool="Prisma", listing=_listing)
