"""Names that say the direction: ``7_name.up.sql`` and ``7_name.down.sql``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing
from pytest_housekeeping.sql.layouts.numbered import twice, version_key

_UP, _DOWN = ".up.sql", ".down.sql"
_DIRECTED = re.compile(r"(\d+)_.*\.(?:up|down)\.sql")
_PLAIN = re.compile(r"(\d+)_.+\.sql")


def directed_listing(ground: Ground, tool: str, *, plain: bool = False) -> Listing:
    """The files directly in the folder, by number; with ``plain`` those without a direction as
    well, which nothing undoes."""
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    passed_over: dict[str, str] = {}
    for path in ground.files.find(ground.folder, "*.sql"):
        name = path.rpartition("/")[2]
        directed = _DIRECTED.fullmatch(name)
        found = directed or (_PLAIN.fullmatch(name) if plain else None)
        if found is None:
            passed_over[path] = f"{tool} does not read a name like this"
        elif name.endswith(_DOWN) and directed:
            undoes = path.removesuffix(_DOWN) + _UP
            rollbacks.append(Entry(path=path, kind=Kind.ROLLBACK, version=found[1], undoes=undoes))
        else:
            rollback = path.removesuffix(_UP) + _DOWN if directed else ""
            migrations.append(
                Entry(path=path, kind=Kind.MIGRATION, version=found[1], rollback=rollback)
            )
    migrations.sort(key=lambda entry: version_key(entry.version))
    return Listing(
        entries=(*migrations, *rollbacks),
        passed_over=passed_over,
        errors=(*twice(migrations, tool), *_misnamed(migrations, rollbacks, tool)),
    )


def _misnamed(
    migrations: Iterable[Entry], rollbacks: Iterable[Entry], tool: str
) -> list[SqlFileError]:
    """Ways back whose number is that of a migration, and whose name is not."""
    by_version = {version_key(each.version): each for each in migrations}
    there = {each.path for each in by_version.values()}
    found = []
    for each in rollbacks:
        migration = by_version.get(version_key(each.version))
        if each.undoes not in there and migration is not None:
            found.append(
                SqlFileError(
                    f"{each.path} undoes {migration.path}, whose name goes on otherwise",
                    why="by its name is found what it takes back",
                    fix=f"name it {migration.rollback.rpartition('/')[2]}; {tool} itself goes by"
                    " the number alone",
                )
            )
    return found
