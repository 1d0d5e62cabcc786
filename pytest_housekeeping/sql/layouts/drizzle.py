"""Drizzle: ``0007_name.sql`` in the order of ``meta/_journal.json``; since its first version 1,
``20240131120000_name/migration.sql`` by folder.

https://orm.drizzle.team/docs/kit-overview
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.folders import folders_in
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing

JOURNAL = "meta/_journal.json"
SNAPSHOT = "snapshot.json"
_FILE = "migration.sql"
_DIALECTS = ("postgresql", "postgres", "pg")


def _listing(ground: Ground) -> Listing:
    folders = _folders(ground)
    if folders:
        return _of_folders(ground, folders)
    journal = _journal(ground)
    there = ground.files.find(ground.folder, "*.sql")
    planned = {ground.at(f"{each['tag']}.sql"): each for each in _entries(journal)}
    numbers = Counter(_number(each) for each in planned.values())
    entries = [
        # Two that were made side by side bear one number, and Drizzle runs both: by their names.
        Entry(
            path=path,
            kind=Kind.MIGRATION,
            version=_number(each) if numbers[_number(each)] == 1 else str(each["tag"]),
        )
        for path, each in planned.items()
        if path in there
    ]
    return Listing(
        entries=tuple(entries),
        passed_over={
            path: f"{ground.at(JOURNAL)} does not name it, and Drizzle does not run it"
            for path in there
            if path not in planned
        },
        errors=(
            *_wrong_dialect(ground.at(JOURNAL), journal),
            *_lacking(ground, [path for path in planned if path not in there]),
        ),
    )


def _folders(ground: Ground) -> Mapping[str, frozenset[str]]:
    """Those of the newer form; none beside a journal, which is of the older one."""
    if ground.files.has(ground.at(JOURNAL)):
        return {}
    return {name: files for name, files in folders_in(ground) if _FILE in files}


def _of_folders(ground: Ground, folders: Mapping[str, frozenset[str]]) -> Listing:
    paths = {name: ground.at(name, _FILE) for name in folders}
    told = next((name for name, files in folders.items() if SNAPSHOT in files), "")
    snapshot = ground.at(told, SNAPSHOT)
    return Listing(
        entries=tuple(
            Entry(path=path, kind=Kind.MIGRATION, version=name) for name, path in paths.items()
        ),
        errors=tuple(_wrong_dialect(snapshot, _read(ground, snapshot))) if told else (),
    )


def recorded_of(ground: Ground) -> Mapping[str, str]:
    """What Drizzle's own table knows each file by: the name of its folder, or when it was made."""
    if folders := _folders(ground):
        return {ground.at(name, _FILE): name for name in folders}
    entries = _entries(_journal(ground))
    return {ground.at(f"{each['tag']}.sql"): str(each.get("when", "")) for each in entries}


def _number(entry: Mapping[str, Any]) -> str:
    return str(entry["tag"]).partition("_")[0]


def _journal(ground: Ground) -> Any:
    return _read(ground, ground.at(JOURNAL))


def _read(ground: Ground, path: str) -> Any:
    if not ground.files.has(path):
        return None
    try:
        return json.loads(ground.files.read(path))
    except ValueError:
        return None


def _entries(journal: Any) -> Sequence[Mapping[str, Any]]:
    found = journal.get("entries", ()) if isinstance(journal, dict) else ()
    return [each for each in found if isinstance(each, dict) and "tag" in each]


def _wrong_dialect(path: str, said: Any) -> Iterator[SqlFileError]:
    if not isinstance(said, dict):
        yield SqlFileError(
            f"{path} cannot be read",
            why="it says what these files are for, and a journal which of them run",
            fix="bring it back as drizzle-kit has written it",
        )
    elif said.get("dialect") not in _DIALECTS:
        yield SqlFileError(
            f"{path} says that these migrations are for {said.get('dialect')}",
            why="they were written for another kind of database",
            fix="name the folder of those for PostgreSQL: migrations = …",
        )


def _lacking(ground: Ground, paths: Sequence[str]) -> Iterator[SqlFileError]:
    if paths:
        yield SqlFileError(
            f"{ground.at(JOURNAL)} names {', '.join(paths)}, and there is no such file",
            why="Drizzle refuses such a folder: what it was to do is not here",
            fix="bring the file back, or let drizzle-kit drop the entry",
        )


LAYOUT = Layout(name="drizzle", tool="Drizzle", listing=_listing, recorded=recorded_of)
