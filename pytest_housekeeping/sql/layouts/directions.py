"""Names that say the direction: ``7_name.up.sql`` and ``7_name.down.sql``."""

from __future__ import annotations

import re

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing
from pytest_housekeeping.sql.layouts.numbered import by_version, paired, twice

_UP, _DOWN = ".up.sql", ".down.sql"
# As pop has it, which keeps the files of several databases in one folder.
_POP = re.compile(
    r"(\d+_[^./]*)(?:\.(postgres|cockroach|mysql|mariadb|sqlite3?))?(\.autocommit)?\.(up|down)\.sql"
)
_DIRECTED = re.compile(r"(\d+)_.*\.(?:up|down)\.sql")
_PLAIN = re.compile(r"(\d+)_.+\.sql")


def directed_listing(ground: Ground, tool: str, *, plain: bool = False) -> Listing:
    """The files directly in the folder, by number; with ``plain`` those without a direction as
    well, which nothing undoes."""
    migrations: list[Entry] = []
    rollbacks: list[Entry] = []
    passed_over = _of_other_databases(ground)
    for path in ground.files.find(ground.folder, "*.sql"):
        if path in passed_over:
            continue
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
                Entry(
                    path=path,
                    kind=Kind.MIGRATION,
                    version=found[1],
                    rollback=rollback,
                    outside=bool((pop := _POP.fullmatch(name)) and pop[3]),
                )
            )
    migrations.sort(key=by_version)
    migrations, rollbacks = paired(migrations, rollbacks)
    return Listing(
        entries=(*migrations, *rollbacks),
        passed_over=passed_over,
        errors=(*twice(migrations, tool), *twice(rollbacks, tool)),
    )


def _of_other_databases(ground: Ground) -> dict[str, str]:
    """Files that bear the name of another database, and those that one for PostgreSQL replaces."""
    paths = ground.files.find(ground.folder, "*.sql")
    named = {path: found for path in paths if (found := _POP.fullmatch(path.rpartition("/")[2]))}
    ours = {(each[1], each[4]): path for path, each in named.items() if each[2] == "postgres"}
    told = {}
    for path, each in named.items():
        instead = ours.get((each[1], each[4]), path)
        if each[2] and each[2] != "postgres":
            told[path] = f"it is for {each[2]}"
        elif instead != path:
            told[path] = f"{instead} is for PostgreSQL, and read in its place"
    return told
