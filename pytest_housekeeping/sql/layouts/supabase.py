"""Supabase: ``supabase/migrations/20240131120000_name.sql`` by name, ``supabase/seed.sql``.

https://supabase.com/docs/guides/deployment/database-migrations
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing
from pytest_housekeeping.sql.layouts.numbered import twice

_NAME = re.compile(r"(\d+)_.*\.sql")


def _listing(ground: Ground) -> Listing:
    migrations: list[Entry] = []
    passed_over: dict[str, str] = {}
    for path in ground.files.find(ground.folder, "*.sql"):
        found = _NAME.fullmatch(path.rpartition("/")[2])
        if found is None:
            passed_over[path] = "Supabase does not read a name like this"
        else:
            migrations.append(Entry(path=path, kind=Kind.MIGRATION, version=found[1]))
    seeds = [Entry(path=path, kind=Kind.SEED) for path in dict.fromkeys(_seeds(ground))]
    return Listing(
        entries=(*migrations, *seeds),
        passed_over=passed_over,
        errors=tuple(twice(migrations, "Supabase")),
    )


def _seeds(ground: Ground) -> Iterator[str]:
    """What ``config.toml`` names, in its order; ``seed.sql`` where it names nothing.

    https://supabase.com/docs/guides/local-development/seeding-your-database
    """
    top = posixpath.dirname(ground.folder)
    said = ground.toml(f"{top}/config.toml").get("db", {}).get("seed", {})
    if not said.get("enabled", True):
        return
    for pattern in said.get("sql_paths", ["./seed.sql"]):
        folder, _, name = posixpath.normpath(posixpath.join(top, pattern)).rpartition("/")
        yield from ground.files.find(folder, name)


LAYOUT = Layout(name="supabase", tool="Supabase", listing=_listing)
