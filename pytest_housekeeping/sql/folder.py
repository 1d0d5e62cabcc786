"""The files of a project: read once, each in its place, and what is no part of a plan."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError, did_you_mean
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import FOLDERS, SqlFile
from pytest_housekeeping.sql.layouts.known import OWN, layout_of
from pytest_housekeeping.sql.layouts.layout import Entry, Ground, Listing
from pytest_housekeeping.sql.layouts.own import rollbacks_at
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.project_files import ProjectFiles

BOOTSTRAP = "bootstrap"
_BESIDE = (Kind.VIEW, Kind.POLICY, Kind.SEED)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.sql")
_OF_TOOL = (Kind.MIGRATION, Kind.ROLLBACK)


@dataclass(frozen=True, kw_only=True)
class ProjectSql:
    """The files of each kind in its order, what the tool passes over and why, and all that keeps
    a plan from being made."""

    files: dict[Kind, list[SqlFile]]
    passed_over: dict[str, str]
    errors: list[SqlFileError]


def read_all(
    config: Config,
    files: ProjectFiles,
    kinds: Iterable[Kind],
    *,
    applied: Container[tuple[str, str]] = (),
) -> ProjectSql:
    """The files of these kinds. Those that were ``applied``, by path and digest, are not parsed."""
    found: dict[Kind, list[SqlFile]] = {}
    listed = listing(config, files)
    errors: list[SqlFileError] = [*_strangers(config), *listed.errors]
    for kind in kinds:
        found[kind] = []
        for entry in _entries(config, files, kind, listed):
            try:
                _refuse_name(config, entry)
                found[kind].append(sqlfile.read(config, files, entry, applied=applied))
            except SqlFileError as error:
                errors.append(error)
    return ProjectSql(files=found, passed_over=dict(listed.passed_over), errors=errors)


def sql_paths(config: Config, files: ProjectFiles, kind: Kind) -> tuple[str, ...]:
    """The paths of the files of a kind, in their order, as a plan calls them."""
    return _paths(_entries(config, files, kind, listing(config, files)))


def bootstrap_paths(config: Config, files: ProjectFiles) -> tuple[str, ...]:
    """The files that make what the real server already has, in name order."""
    return files.find(f"{config.sql}/{BOOTSTRAP}", "*.sql")


def all_paths(config: Config, files: ProjectFiles) -> tuple[str, ...]:
    """The paths of all of them, of every kind."""
    listed = listing(config, files)
    entries = (entry for kind in FOLDERS for entry in _entries(config, files, kind, listed))
    return (*_paths(entries), *bootstrap_paths(config, files))


def rollbacks_folder(config: Config) -> str:
    """Where what undoes the migrations is looked for, from the root."""
    own = rollbacks_at(Ground(config=config, files=ProjectFiles(config.root)))
    return own if _is_own(config) else config.migrations_folder


def sql_folders(config: Config) -> tuple[str, ...]:
    """The folders that hold them, from the root, as far as they lie apart."""
    folders = {config.sql, config.migrations_folder} - {"."}
    return tuple(sorted(each for each in folders if (config.root / each).is_dir()))


def _refuse_name(config: Config, entry: Entry) -> None:
    beside = entry.kind in _BESIDE and entry.path.startswith(f"{config.sql}/{FOLDERS[entry.kind]}/")
    if beside and not _NAME.fullmatch(entry.path.rpartition("/")[2]):
        raise SqlFileError(
            f"{entry.path}: the name does not fit",
            why="it is a part of names in the report, and of what a shell is given",
            fix="use letters, digits, '_', '-' and '.', and the ending .sql",
        )


def _paths(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(entry.path for entry in entries)


def _entries(config: Config, files: ProjectFiles, kind: Kind, listed: Listing) -> Sequence[Entry]:
    """The tool's own, and behind them those of the folder of that kind."""
    of_tool = listed.of(kind)
    if kind in _OF_TOOL:
        return of_tool
    paths = files.find(f"{config.sql}/{FOLDERS[kind]}", "*.sql")
    known = {entry.path for entry in of_tool}
    return [*of_tool, *(Entry(path=each, kind=kind) for each in paths if each not in known)]


def _strangers(config: Config) -> Iterable[SqlFileError]:
    """SQL files in places that are not read: a person may take them for a part of the plan."""
    top = config.root / config.sql
    if not top.is_dir():
        return
    tools = config.root / config.migrations_folder
    known = _known_folders(config)
    for entry in sorted(top.iterdir()):
        if tools != top and entry in (tools, *tools.parents):
            strangers = _out_of_place(entry) if entry == tools and _is_own(config) else []
        elif entry.name in known and entry.is_dir():
            strangers = _out_of_place(entry)
        elif tools == top:
            continue
        elif entry.is_dir():
            strangers = [entry] * _holds_sql(entry)
        else:
            strangers = [entry] * (entry.suffix.lower() == ".sql")
        for stranger in strangers:
            yield SqlFileError(
                f"{stranger.relative_to(config.root).as_posix()} is no part of the plan"
                + did_you_mean(stranger.name.lower(), known),
                why="only files that end in .sql, directly in one of the known folders, are",
                fix=f"move or rename it; {config.sql}/ holds {', '.join(known)}",
            )


def _known_folders(config: Config) -> tuple[str, ...]:
    """With another tool, its own folder holds migrations and what undoes them."""
    kinds = [kind for kind in FOLDERS if _is_own(config) or kind in _BESIDE]
    return (BOOTSTRAP, *(FOLDERS[kind] for kind in kinds))


def _is_own(config: Config) -> bool:
    return layout_of(config).name == OWN


def _out_of_place(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [each.name for each in entries if not each.name.endswith(".sql") or each.is_dir()]
    return [
        each
        for each in map(folder.joinpath, sorted(found))
        if (each.is_dir() and _holds_sql(each))
        or (each.suffix != ".sql" and each.suffix.lower() == ".sql")
    ]


def _holds_sql(folder: Path) -> bool:
    return folder.suffix.lower() == ".sql" or any(folder.rglob("*.[sS][qQ][lL]"))
