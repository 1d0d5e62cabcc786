"""Versions at the beginning of a name: how they are compared, and what bears the same one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_housekeeping.errors import SqlFileError, listed
from pytest_housekeeping.sql.layouts.layout import Entry

_SHOWN = 12
_PARTS = re.compile(r"[._-]")


def version_key(version: str) -> tuple[int, ...]:
    """Part by part as numbers: 1.9 comes before 1.10, and 1.0 is 1."""
    parts = [int(part) for part in _PARTS.split(version) if part]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def by_version(entry: Entry) -> tuple[int, ...]:
    """The place of a file in the order of the versions."""
    return version_key(entry.version)


def same_version(one: str, other: str) -> bool:
    """Whether two spellings name one version: 7 and 0007, 1_2 and 1.2.0."""
    try:
        return version_key(one) == version_key(other)
    except ValueError:
        return one == other


def paired(
    migrations: Sequence[Entry], rollbacks: Sequence[Entry]
) -> tuple[list[Entry], list[Entry]]:
    """Each way back with the migration of its version, whatever the rest of the names is."""
    ups = {version_key(each.version): each for each in migrations}
    downs = {version_key(each.version): each for each in rollbacks}
    return (
        [
            replace(each, rollback=downs[key].path) if key in downs else each
            for key, each in ((version_key(each.version), each) for each in migrations)
        ],
        [
            replace(each, undoes=ups[key].path) if key in ups else each
            for key, each in ((version_key(each.version), each) for each in rollbacks)
        ],
    )


def twice(
    entries: Sequence[Entry], tool: str, *, called: str = "version", elsewhere: str = ""
) -> list[SqlFileError]:
    """One version borne by several files, which the tool refuses as well: all of them at once.

    ``elsewhere`` is the way out where the files of one lie in several folders.
    """
    by_version: dict[tuple[int, ...], list[str]] = {}
    for entry in entries:
        by_version.setdefault(version_key(entry.version), []).append(entry.path)
    borne = {version: paths for version, paths in by_version.items() if len(paths) > 1}
    if not borne:
        return []
    apart = any(len({path.rpartition("/")[0] for path in paths}) > 1 for paths in borne.values())
    return [
        SqlFileError(
            listed(
                [
                    f"{called} {'.'.join(map(str, version))} is borne by {' and '.join(paths)}"
                    for version, paths in borne.items()
                ],
                _SHOWN,
            ).lstrip(),
            why=f"which of them runs first nobody can say: {tool} refuses it as well",
            fix=(f"{elsewhere}; otherwise " if apart and elsewhere else "")
            + f"give one of them the next free {called}",
        )
    ]
