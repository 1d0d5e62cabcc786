"""Which migration a path takes back, from the path alone: audits of the past have no files beside
them."""

from __future__ import annotations

import re

from pytest_housekeeping.sql.path_names import DOWN, changeset_in, whole_of

_FLYWAY = re.compile(r"(.*/|)U(\d+(?:[._]\d+)*__[^/]+\.sql)")
_BY_VERSION = re.compile(r"(.*/|)(\d+(?=_[^/]*\.up\.sql)|V\d+(?:[._]\d+)*(?=__))[^/]*")
_FOLDERS = {"rollback": "migrations", "revert": "deploy"}
# Prisma names its folders so; those of Diesel have dashes, and one bears nothing but zeros.
_PRISMA = re.compile(r"(?!0{14})\d{14}_.*")


def migration_key(path: str) -> str:
    """The same for a migration and for what undoes it: Flyway and golang-migrate go by the version
    alone, and the rest of the two names may differ."""
    undone = undone_by(path)
    if changeset_in(undone):
        return undone
    by_version = _BY_VERSION.fullmatch(undone)
    if by_version is None:
        return undone
    version = by_version[2].replace("_", ".").lstrip("V0") or "0"
    return f"{by_version[1]}{version}"


def undone_by(path: str) -> str:
    """The path of the migration that a rollback undoes; any other path is its own, and a part is
    its file."""
    path = whole_of(path)
    if path.endswith(DOWN):
        return path.removesuffix(DOWN)
    if changeset_in(path):
        return path
    if undo := _FLYWAY.fullmatch(path):
        return f"{undo[1]}V{undo[2]}"
    folder, _, name = path.rpartition("/")
    if name == "down.sql":
        prisma = _PRISMA.fullmatch(folder.rpartition("/")[2])
        return f"{folder}/migration.sql" if prisma else f"{folder}/up.sql"
    if name.endswith(".down.sql"):
        return path.removesuffix(".down.sql") + ".up.sql"
    parts = path.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] in _FOLDERS:
            parts[place] = _FOLDERS[parts[place]]
            return "/".join(parts)
    return path
