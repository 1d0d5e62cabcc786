"""Flyway: ``V1_10__name.sql`` by version, ``R__name.sql`` when changed, ``U1_10__name.sql`` back.

https://documentation.red-gate.com/fd/migrations-271585107.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.effects import effects_of
from pytest_housekeeping.sql.layouts.flyway_conf import FlywayConf, flyway_conf
from pytest_housekeeping.sql.layouts.layout import (
    Entry,
    Ground,
    Layout,
    Listing,
    Reading,
    not_run_here,
)
from pytest_housekeeping.sql.layouts.numbered import by_version, paired, twice
from pytest_housekeeping.sql.layouts.placeholders import replaced
from pytest_housekeeping.sql.parse import parsed

_CODE = re.compile(r"[VURB][\w.]*__.+\.(?:java|kt|groovy|class|py|ps1|bash|sh|cmd|bat)")
# What runs at other moments: https://documentation.red-gate.com/fd/callback-events-277579115.html
_CALLBACK = re.compile(r"(?:before|after|create)([A-Z][a-z]*)\w*?(?:__.*)?\.sql")
# Of those, what runs with no promotion: at `clean`, say, which is nothing of this tool's.
_ELSEWHERE = frozenset(("Clean", "Info", "Repair", "Baseline", "Undo"))
# What runs behind each promotion: https://documentation.red-gate.com/fd/callback-events-277579115.html
_BEHIND = re.compile(r"(?:afterMigrate|afterMigrateApplied)(?:__.*)?\.sql")
_LOCATIONS = (
    "where Flyway is given some of these folders only, those of a profile it may be, say which: in"
    ' flyway.toml, a new file, [flyway] and locations = ["filesystem:FOLDER", …]'
)
_CONF_TRUE = ("", "true")


def _listing(ground: Ground) -> Listing:
    """Below each location, in whatever folder of it, as Flyway scans them."""
    files, conf = ground.files, flyway_conf(ground.files, ground.folder)
    found: dict[str, list[Entry]] = {"V": [], "U": [], "B": [], "R": []}
    passed_over: dict[str, str] = {}
    behind, unreadable = list[Entry](), list[str]()
    errors: list[SqlFileError] = list(conf.errors)
    names = _Names(conf)
    paths = [
        path for each in _locations(ground, conf) for path in files.find(each, "*", below=True)
    ]
    for path in dict.fromkeys(paths):
        name = path.rpartition("/")[2]
        callback = _CALLBACK.fullmatch(name)
        if versioned := names.versioned.fullmatch(name):
            kind = names.kind_of(versioned)
            found[kind].append(_versioned(path, versioned, kind))
            if kind == "U" and not names.usual:
                errors.append(_unusual(path))
        elif names.repeatable.fullmatch(name):
            found["R"].append(Entry(path=path, kind=Kind.VIEW, of_tool=True))
        elif _BEHIND.fullmatch(name):
            behind.append(Entry(path=path, kind=Kind.VIEW, of_tool=True, every=True))
        elif callback and callback[1] in _ELSEWHERE:
            passed_over[path] = f"it runs at {callback[1].lower()}, which is not done here"
        elif callback or _CODE.fullmatch(name):
            unreadable.append(path)
        elif name.endswith(".sql"):
            passed_over[path] = "Flyway does not read a name like this"
    confs = (path for path in dict.fromkeys(paths) if path.endswith(".sql.conf"))
    errors += [each for path in confs for each in _conf_errors(ground, path)]
    errors += _unreadable(unreadable)
    migrations = sorted(_with_baseline(found, passed_over), key=by_version)
    entries = [_marked(ground, entry) for entry in migrations]
    entries, undoing = paired(entries, found["U"])
    repeatable = [*sorted(found["R"], key=_name), *sorted(behind, key=_name)]
    return Listing(
        entries=(*entries, *repeatable, *undoing),
        passed_over=passed_over,
        errors=(*errors, *_twice(migrations), *_twice(undoing)),
    )


def _twice(entries: Sequence[Entry]) -> list[SqlFileError]:
    return twice(entries, "Flyway", elsewhere=_LOCATIONS)


@dataclass(frozen=True)
class _Names:
    """How a project's files are called: by letters of its own, it may be."""

    conf: FlywayConf

    @property
    def usual(self) -> bool:
        """Whether a path alone tells what it undoes."""
        conf = self.conf
        return (conf.prefix("V"), conf.prefix("U"), conf.separator) == ("V", "U", "__")

    @property
    def versioned(self) -> re.Pattern[str]:
        kinds = "|".join(re.escape(self.conf.prefix(kind)) for kind in "VUB")
        return re.compile(rf"({kinds})(\d+(?:[._]\d+)*){self._rest}")

    @property
    def repeatable(self) -> re.Pattern[str]:
        return re.compile(rf"{re.escape(self.conf.prefix('R'))}{self._rest}")

    @property
    def _rest(self) -> str:
        ends = "|".join(re.escape(each) for each in self.conf.suffixes)
        return rf"{re.escape(self.conf.separator)}(.+?)(?:{ends})"

    def kind_of(self, name: re.Match[str]) -> str:
        return next(kind for kind in "VUB" if self.conf.prefix(kind) == name[1])


def _locations(ground: Ground, conf: FlywayConf) -> Sequence[str]:
    """Those of the configuration that lie in the folder, or the folder itself."""
    inside = f"{ground.folder}/" if ground.folder else ""
    found = [each for each in conf.locations if f"{each}/".startswith(inside)]
    return found or [ground.folder]


def _versioned(path: str, name: re.Match[str], kind: str) -> Entry:
    folder = path.removesuffix(name[0])
    if kind == "U":
        undoes = f"{folder}V{name[2]}__{name[3]}.sql"
        return Entry(path=path, kind=Kind.ROLLBACK, version=name[2], undoes=undoes)
    rollback = f"{folder}U{name[2]}__{name[3]}.sql"
    return Entry(path=path, kind=Kind.MIGRATION, version=name[2], rollback=rollback)


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _with_baseline(found: dict[str, list[Entry]], passed_over: dict[str, str]) -> Iterator[Entry]:
    """The migrations; a baseline stands in the place of those that it sums up, where they are gone.

    https://documentation.red-gate.com/fd/baseline-migrations-273973336.html
    """
    last = max(found["B"], key=by_version, default=None)
    summed = [each for each in found["V"] if last and by_version(each) <= by_version(last)]
    for entry in found["B"]:
        if entry is not last or summed:
            passed_over[entry.path] = "the migrations that it sums up are here"
        else:
            yield entry
    yield from found["V"]


def _marked(ground: Ground, entry: Entry) -> Entry:
    """With what ``NAME.sql.conf`` says of its transaction."""
    said = _conf(ground, f"{entry.path}.conf").get("executeintransaction", "true")
    return replace(entry, outside=said == "false")


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


def _unusual(path: str) -> SqlFileError:
    return SqlFileError(
        f"{path} undoes, and the files here do not begin with V and U",
        why="evidence of the past names it, and the name alone has to tell what it has undone",
        fix="leave it out of the locations; what undoes a migration may be the next one",
    )


def _unreadable(paths: Sequence[str]) -> Iterator[SqlFileError]:
    """One error for each kind, with all the files."""
    callbacks = [path for path in paths if path.endswith(".sql")]
    code = [path for path in paths if path not in callbacks]
    for found, what, fix in ((callbacks, _A_CALLBACK, _BEHIND_IT), (code, _IN_CODE, _IN_SQL)):
        yield from not_run_here(found, *what, fix=f"{fix}, and the file out of the folder")


_A_CALLBACK = "is a callback of Flyway", "are callbacks of Flyway"
_BEHIND_IT = (
    "put what it does into a migration, or into a file afterMigrate__NAME.sql, which runs behind"
    " each promotion"
)
_IN_CODE = "is a migration of Flyway in no SQL", "are migrations of Flyway in no SQL"
_IN_SQL = "put what it does into a migration in SQL"


def _reading(ground: Ground, path: str, text: str) -> Reading:
    values = ground.config.placeholders
    general = values.get("flyway:placeholderreplacement", "true")
    said = _conf(ground, f"{path}.conf").get("placeholderreplacement", general)
    found = Reading(text=text)
    if said.lower() != "false":
        own = {"flyway:filename": path.rpartition("/")[2]}
        begins = values.get("flyway:placeholderprefix", "${")
        ends = values.get("flyway:placeholdersuffix", "}")
        found = replaced(text, {**own, **values}, any_case=True, around=(begins, ends))
    if values.get("flyway:mixed", "false").lower() == "true":
        return replace(found, outside=_holds_both(found.text))
    return found


def _holds_both(text: str) -> bool:
    """Whether some of its statements no transaction can hold: with ``mixed`` Flyway opens none."""
    return bool(effects_of(parsed(text)).alone)


LAYOUT = Layout(
    name="flyway",
    tool="Flyway",
    listing=_listing,
    reading=_reading,
    outside_mark="executeInTransaction=false in NAME.sql.conf beside it",
    looks_itself=True,
)
