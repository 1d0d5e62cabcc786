"""Diesel: ``2024-01-31-120000_name/up.sql`` by version, ``down.sql`` beside it back.

https://docs.rs/diesel_migrations/latest/diesel_migrations/
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.folders import folders_in, lacking
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing

_METADATA = "metadata.toml"
_MOMENT = re.compile(r"1\d{12}")


def _listing(ground: Ground) -> Listing:
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    errors: list[SqlFileError] = []
    for name, files in folders_in(ground):
        if "up.sql" not in files:
            errors.append(lacking(ground.at(name), "up.sql", "Diesel"))
            continue
        up, down = ground.at(name, "up.sql"), ground.at(name, "down.sql")
        # Diesel itself leaves the dashes out of the version.
        version = name.partition("_")[0].replace("-", "")
        said = ground.toml(ground.at(name, _METADATA))
        outside = said.get("run_in_transaction") is False
        migrations.append(
            Entry(path=up, kind=Kind.MIGRATION, version=version, rollback=down, outside=outside)
        )
        if "down.sql" in files:
            rollbacks.append(Entry(path=down, kind=Kind.ROLLBACK, undoes=up, outside=outside))
    migrations.sort(key=lambda entry: (entry.version, entry.path))
    return Listing(entries=(*migrations, *rollbacks), errors=(*errors, *_twice(migrations)))


def are_hasuras(migrations: Sequence[Entry]) -> bool:
    """Whether the versions are moments in milliseconds, as Hasura makes them."""
    return bool(migrations) and all(_MOMENT.fullmatch(each.version) for each in migrations)


def _twice(migrations: list[Entry]) -> list[SqlFileError]:
    """Versions of Diesel are texts, and need not be numbers."""
    by_version: dict[str, list[str]] = {}
    for each in migrations:
        by_version.setdefault(each.version, []).append(each.path)
    return [
        SqlFileError(
            f"version {version} is borne by {' and '.join(paths)}",
            why="Diesel keeps one row a version, and would take the second one for applied",
            fix="give one of them a version of its own",
        )
        for version, paths in by_version.items()
        if len(paths) > 1
    ]


LAYOUT = Layout(
    name="diesel",
    tool="Diesel",
    listing=_listing,
    outside_mark="run_in_transaction = false in metadata.toml beside it",
)
