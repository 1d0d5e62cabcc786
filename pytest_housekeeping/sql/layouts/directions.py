"""Names that say the direction: ``7_name.up.sql`` and ``7_name.down.sql``."""

from __future__ import annotations

import re

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing
from pytest_housekeeping.sql.layouts.numbered import paired, twice, version_key

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
    migrations, rollbacks = paired(migrations, rollbacks)
    return Listing(
        entries=(*migrations, *rollbacks),
        passed_over=passed_over,
        errors=(*twice(migrations, tool), *twice(rollbacks, tool)),
    )
