"""Drizzle: ``0007_name.sql`` in the order of ``meta/_journal.json``.

https://orm.drizzle.team/docs/kit-overview
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing

JOURNAL = "meta/_journal.json"
_DIALECTS = ("postgresql", "pg")


def _listing(ground: Ground) -> Listing:
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
            *_wrong_dialect(ground, journal),
            *_lacking(ground, [path for path in planned if path not in there]),
        ),
    )


def moments_of(ground: Ground) -> Mapping[str, str]:
    """When each file was made, by its path: what Drizzle's own table knows it by."""
    entries = _entries(_journal(ground))
    return {ground.at(f"{each['tag']}.sql"): str(each.get("when", "")) for each in entries}


def _number(entry: Mapping[str, Any]) -> str:
    return str(entry["tag"]).partition("_")[0]


def _journal(ground: Ground) -> Any:
    path = ground.at(JOURNAL)
    if not ground.files.has(path):
        return None
    try:
        return json.loads(ground.files.read(path))
    except ValueError:
        return None


def _entries(journal: Any) -> Sequence[Mapping[str, Any]]:
    found = journal.get("entries", ()) if isinstance(journal, dict) else ()
    return [each for each in found if isinstance(each, dict) and "tag" in each]


def _wrong_dialect(ground: Ground, journal: Any) -> Iterator[SqlFileError]:
    if not isinstance(journal, dict):
        yield SqlFileError(
            f"{ground.at(JOURNAL)} cannot be read",
            why="it says which files Drizzle runs, and in which order",
            fix="bring it back as drizzle-kit has written it",
        )
    elif journal.get("dialect") not in _DIALECTS:
        yield SqlFileError(
            f"{ground.at(JOURNAL)} says that these migrations are for {journal.get('dialect')}",
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


LAYOUT = Layout(name="drizzle", tool="Drizzle", listing=_listing)
