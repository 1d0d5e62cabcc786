"""In which order Liquibase reads its files: as a changelog includes them, or by name.

https://docs.liquibase.com/change-types/include.html, https://docs.liquibase.com/change-types/includeall.html
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import yaml

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.layouts.layout import Ground
from pytest_housekeeping.sql.project_files import upwards

_SETTINGS = "liquibase.properties"
_CHANGELOG_FILE = re.compile(
    r"^(?:liquibase\.command\.)?changelog-?file[ \t]*[=:][ \t]*(\S+)", re.MULTILINE | re.IGNORECASE
)
_ENDINGS = (".xml", ".yaml", ".yml", ".json")
_INCLUDE = frozenset(("file", "relativetochangelogfile", "errorifmissing"))
_INCLUDE_ALL = frozenset(("path", "relativetochangelogfile", "errorifmissingorempty"))
_CODE = (
    "what of it is no SQL is had as SQL by liquibase update-sql: python -m pytest_housekeeping docs"
    " adoption, under 'Migrations in code'; what may stand there is include and includeAll"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """The paths of the files in their order, what is left out of it and why, and what keeps it
    from being known. ``whole`` are the folders that a changelog includes as they are, up to the
    last thing that it includes; None without a changelog."""

    paths: tuple[str, ...] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[SqlFileError, ...] = ()
    whole: tuple[str, ...] | None = None

    def would_include(self, path: str) -> bool:
        """Whether a new file at that place is read without a changelog being changed."""
        folders = ("",) if self.whole is None else self.whole[-1:]
        return any(path.startswith(f"{each}/" if each else "") for each in folders)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changelog:
    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]


class _Unread(Exception):
    """What stands in a changelog that is not read here."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} {what}")
        self.path, self.what = path, what


def order_of(ground: Ground) -> Order:
    """Of a changelog that includes files of the folder; without one, by their paths."""
    files = ground.files
    given = (ground.config.layout, ground.folder, ground.files.root)
    return files.once("order of Liquibase", given, lambda: _order(ground))


def _order(ground: Ground) -> Order:
    here = tuple(sorted(ground.files.find(ground.folder, "*.sql", below=True)))
    try:
        found = list(_changelogs(ground, frozenset(here)))
    except _Unread as error:
        return Order(errors=(_refused(error),))
    if len({each.files for each in found}) > 1:
        found = list(_named(ground, found)) or found
    if len({each.files for each in found}) > 1:
        return Order(errors=(_several(found),))
    if not found:
        return Order(paths=here)
    included = found[0].files
    strangers = [path for path in included if path not in here]
    left = {path: f"{found[0].path} does not include it" for path in here if path not in included}
    if strangers:
        return Order(errors=(_outside(found[0], strangers, ground.folder),))
    return Order(paths=included, passed_over=left, whole=found[0].folders)


def _changelogs(ground: Ground, here: frozenset[str]) -> Iterator[_Changelog]:
    """The changelogs nearest to the folder that lead into it, and that none of them includes."""
    for folder in upwards(ground.folder):
        found = []
        for path in _candidates(ground, folder):
            walk = _Walk(ground)
            paths = tuple(dict.fromkeys(walk.included(path)))
            if here.intersection(paths):
                found.append((_Changelog(path=path, files=paths, folders=walk.last), walk.nested))
        below = {path for _, nested in found for path in nested}
        if found:
            yield from (each for each, _ in found if each.path not in below)
            return


def _named(ground: Ground, found: Sequence[_Changelog]) -> Iterator[_Changelog]:
    """The one that Liquibase's own settings name, in the folder or above it."""
    for folder in upwards(ground.folder):
        path = posixpath.join(folder, _SETTINGS)
        if ground.files.has(path):
            text = ground.files.read(path).decode(errors="replace")
            for said in _CHANGELOG_FILE.findall(text):
                name = posixpath.normpath(said.removeprefix("classpath:").strip("/"))
                yield from (each for each in found if f"/{each.path}".endswith(f"/{name}"))


def _candidates(ground: Ground, folder: str) -> Iterator[str]:
    for ending in _ENDINGS:
        for path in ground.files.find(folder or ".", f"*{ending}"):
            if b"databaseChangeLog" in ground.files.beginning(path):
                yield path


class _Walk:
    """A changelog followed to its SQL files: the changelogs that it leads to, and the folder that
    it has included last, if that was the last thing."""

    def __init__(self, ground: Ground) -> None:
        self.nested: list[str] = []
        self.last: tuple[str, ...] = ()
        self._ground = ground

    def included(self, path: str) -> Iterator[str]:
        """The SQL files, in its order."""
        for name, said in _children(path, self._ground.files.read(path)):
            known = {"include": _INCLUDE, "includeall": _INCLUDE_ALL}.get(name.lower())
            if known is None:
                raise _Unread(path, f"has {name}, which is no SQL")
            attributes = {key.lower(): value for key, value in said.items()}
            if more := sorted(set(attributes) - known):
                raise _Unread(path, f"says {', '.join(more)} of what it includes")
            key = "file" if name.lower() == "include" else "path"
            relative = str(attributes.get("relativetochangelogfile", "false")).lower() == "true"
            said_path = str(attributes.get(key, ""))
            there = _resolved(self._ground, path, said_path, relative=relative)
            self.last = () if key == "file" else (there,)
            yield from self._followed(path, [there] if key == "file" else self._all_of(there))

    def _all_of(self, folder: str) -> Sequence[str]:
        return sorted(self._ground.files.find(folder, "*", below=True))

    def _followed(self, path: str, found: Sequence[str]) -> Iterator[str]:
        for each in found:
            if each.endswith(".sql"):
                yield each
            elif each.endswith(_ENDINGS) and each != path and each not in self.nested:
                self.nested.append(each)
                yield from self.included(each)


def _resolved(ground: Ground, path: str, said: str, *, relative: bool) -> str:
    """From the root of the project: beside the changelog, or from where Liquibase begins to look,
    which is the nearest folder above the changelog that holds it."""
    said = said.replace("\\", "/").removeprefix("classpath*:").removeprefix("classpath:").strip("/")
    beside = posixpath.dirname(path)
    for folder in [beside] if relative else upwards(beside):
        there = posixpath.normpath(posixpath.join(folder, said))
        if said and (ground.files.root / there).exists():
            return there
    raise _Unread(path, f"includes {said or 'nothing'}, and there is no such file")


def _children(path: str, data: bytes) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """What stands in a changelog, in its order, each with what is said of it."""
    try:
        if path.endswith(".xml"):
            root = ElementTree.fromstring(data)  # noqa: S314 - a file of the project's own
            return [(each.tag.rpartition("}")[2], dict(each.attrib)) for each in root]
        read = json.loads(data) if path.endswith(".json") else yaml.safe_load(data)
        top = read["databaseChangeLog"] or ()
        return [(name, said) for each in top for name, said in each.items()]
    except (ElementTree.ParseError, yaml.YAMLError, ValueError, LookupError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise _Unread(path, f"cannot be read: {first}") from None


def _refused(error: _Unread) -> SqlFileError:
    return SqlFileError(
        str(error),
        why="it is Liquibase's list of what runs, and in which order",
        fix=_CODE,
    )


def _several(found: Sequence[_Changelog]) -> SqlFileError:
    return SqlFileError(
        f"several changelogs lead into the folder: {', '.join(each.path for each in found)}",
        why="each has an order of its own, and nobody can say which one production is migrated by",
        fix=f"write into {_SETTINGS}, in the root, which one counts: changeLogFile={found[0].path}",
    )


def _outside(changelog: _Changelog, strangers: Sequence[str], folder: str) -> SqlFileError:
    common = posixpath.commonpath([folder or ".", *strangers]) if folder else ""
    return SqlFileError(
        f"{changelog.path} includes {strangers[0]}, which does not lie in {folder or '.'}/",
        why="it would run before or behind the files here, and the order would be another one",
        fix=f'migrations = "{common or "."}" in [tool.housekeeping], a folder that holds all of'
        " them",
    )
