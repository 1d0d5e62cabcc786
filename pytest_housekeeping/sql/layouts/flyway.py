"""Flyway: ``V1_10__name.sql`` by version, ``R__name.sql`` when changed, ``U1_10__name.sql`` back.

https://documentation.red-gate.com/fd/migrations-271585107.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Layout, Listing, Reading
from pytest_housekeeping.sql.layouts.numbered import paired, twice, version_key
from pytest_housekeeping.sql.layouts.placeholders import replaced

_NAME = re.compile(r"([VUB])(\d+(?:[._]\d+)*)__(.+)\.sql")
_REPEATABLE = re.compile(r"R__(.+)\.sql")
_CODE = re.compile(r"[VURB][\w.]*__.+\.(?:java|kt|groovy|class|py|ps1|bash|sh|cmd|bat)")
# What runs at other moments: https://documentation.red-gate.com/fd/callback-events-277579115.html
_CALLBACK = re.compile(r"(?:before|after|create)[A-Z]\w*?(?:__.*)?\.sql")
_CONF_TRUE = ("", "true")


def _listing(ground: Ground) -> Listing:
    """Below the folder, in whatever folder of it, as Flyway scans a location."""
    files = ground.files
    found: dict[str, list[Entry]] = {"V": [], "U": [], "B": [], "R": []}
    passed_over: dict[str, str] = {}
    errors: list[SqlFileError] = []
    for path in files.find(ground.folder, "*", below=True):
        name = path.rpartition("/")[2]
        if versioned := _NAME.fullmatch(name):
            found[versioned[1]].append(_versioned(path, versioned))
        elif _REPEATABLE.fullmatch(name):
            found["R"].append(Entry(path=path, kind=Kind.VIEW, of_tool=True))
        elif _CALLBACK.fullmatch(name) or _CODE.fullmatch(name):
            errors.append(_unreadable(path))
        elif name.endswith(".sql"):
            passed_over[path] = "Flyway does not read a name like this"
    errors += [
        each
        for path in files.find(ground.folder, "*.sql.conf", below=True)
        for each in _conf_errors(ground, path)
    ]
    migrations = sorted(_with_baseline(found, passed_over), key=_order)
    entries = [_marked(ground, entry) for entry in migrations]
    entries, undoing = paired(entries, found["U"])
    repeatable = sorted(found["R"], key=lambda entry: entry.path.rpartition("/")[2])
    return Listing(
        entries=(*entries, *repeatable, *undoing),
        passed_over=passed_over,
        errors=(*errors, *twice(migrations, "Flyway"), *twice(undoing, "Flyway")),
    )


def _versioned(path: str, name: re.Match[str]) -> Entry:
    folder = path.removesuffix(name[0])
    if name[1] == "U":
        undoes = f"{folder}V{name[2]}__{name[3]}.sql"
        return Entry(path=path, kind=Kind.ROLLBACK, version=name[2], undoes=undoes)
    rollback = f"{folder}U{name[2]}__{name[3]}.sql"
    return Entry(path=path, kind=Kind.MIGRATION, version=name[2], rollback=rollback)


def _order(entry: Entry) -> tuple[int, ...]:
    return version_key(entry.version)


def _with_baseline(found: dict[str, list[Entry]], passed_over: dict[str, str]) -> Iterator[Entry]:
    """The migrations; a baseline stands in the place of those that it sums up, where they are gone.

    https://documentation.red-gate.com/fd/baseline-migrations-273973336.html
    """
    last = max(found["B"], key=_order, default=None)
    summed = [each for each in found["V"] if last and _order(each) <= _order(last)]
    for entry in found["B"]:
        if entry is not last or summed:
            passed_over[entry.path] = "the migrations that it sums up are here"
        else:
            yield entry
    yield from found["V"]


def _marked(ground: Ground, entry: Entry) -> Entry:
    """With what ``NAME.sql.conf`` says of its transaction."""
    said = _conf(ground, f"{entry.path}.conf").get("executeintransaction", "true")
    return Entry(
        path=entry.path,
        kind=entry.kind,
        version=entry.version,
        rollback=entry.rollback,
        outside=said == "false",
    )


def _conf(ground: Ground, path: str) -> dict[str, str]:
    if not ground.files.has(path):
        return {}
    lines = ground.files.read(path).decode(errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {key.strip().lower(): value.strip().lower() for key, _, value in pairs if key.strip()}


def _conf_errors(ground: Ground, path: str) -> Iterator[SqlFileError]:
    known = {"executeintransaction", "placeholderreplacement", "encoding", "shouldexecute"}
    said = _conf(ground, path)
    unknown = sorted(set(said) - known)
    if said.get("encoding", "utf-8") not in ("utf-8", "utf8"):
        unknown.append("encoding")
    if said.get("shouldexecute", "true") not in _CONF_TRUE:
        unknown.append("shouldExecute")
    if unknown:
        yield SqlFileError(
            f"{path} says {', '.join(unknown)}",
            why="what Flyway makes of it is not done here, and would be left out without a word",
            fix="take it out; what is understood: executeInTransaction, placeholderReplacement",
        )


def _unreadable(path: str) -> SqlFileError:
    name = path.rpartition("/")[2]
    callback = name.endswith(".sql")
    what = "a callback of Flyway" if callback else "a migration of Flyway in no SQL"
    return SqlFileError(
        f"{path} is {what}",
        why="it would not run here, and what it does would be missing without a word",
        fix="put what it does into a migration or an R__ file, and the file out of the folder",
    )


def _reading(ground: Ground, path: str, text: str) -> Reading:
    said = _conf(ground, f"{path}.conf").get("placeholderreplacement", "true")
    if said == "false":
        return Reading(text=text)
    own = {"flyway:filename": path.rpartition("/")[2]}
    return replaced(text, {**own, **ground.config.placeholders}, any_case=True)


LAYOUT = Layout(name="flyway", tool="Flyway", listing=_listing, reading=_reading)
