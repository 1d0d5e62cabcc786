"""The files under ``sql/``: read once, each in its place, and what is no part of a plan."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError, did_you_mean
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.project_files import ProjectFiles

_FOLDERS = ("bootstrap", *sqlfile.FOLDERS.values())


def read_all(
    config: Config,
    files: ProjectFiles,
    kinds: Iterable[Kind],
    *,
    applied: Container[tuple[str, str]] = (),
) -> tuple[dict[Kind, list[SqlFile]], list[SqlFileError]]:
    """The files of these kinds, each kind in its order, and all that keeps it from being made.

    Those that were ``applied``, by path and digest, are not parsed.
    """
    found: dict[Kind, list[SqlFile]] = {}
    errors: list[SqlFileError] = list(_strangers(config))
    for kind in kinds:
        found[kind], refused = read_kind(config, files, kind, applied=applied)
        errors += refused
    return found, errors


def read_kind(
    config: Config, files: ProjectFiles, kind: Kind, *, applied: Container[tuple[str, str]] = ()
) -> tuple[list[SqlFile], list[SqlFileError]]:
    """The files of one folder, in their order, and what has no place in it."""
    found: list[SqlFile] = []
    errors: list[SqlFileError] = []
    for path in sql_paths(config, files, sqlfile.FOLDERS[kind]):
        try:
            found.append(sqlfile.read(files, path, kind, applied=applied))
        except SqlFileError as error:
            errors.append(error)
    if kind is Kind.MIGRATION:
        found.sort(key=lambda file: (file.number or 0, file.path))
        errors += _clashes(found)
    return found, errors


def sql_paths(config: Config, files: ProjectFiles, folder: str) -> tuple[str, ...]:
    """The .sql files of a folder under ``sql/``, relative to the root, in name order."""
    return files.find(f"{config.sql}/{folder}", "*.sql")


def next_migration(config: Config, files: ProjectFiles, name: str) -> str:
    """The path of a migration that would come behind all that are there."""
    folder = sqlfile.FOLDERS[Kind.MIGRATION]
    names = [path.rpartition("/")[2] for path in sql_paths(config, files, folder)]
    numbers = [each.partition("_")[0] for each in names]
    width = max((len(each) for each in numbers), default=4)
    highest = max((int(each) for each in numbers if each.isdecimal()), default=0)
    return f"{config.sql}/{folder}/{highest + 1:0{width}}_{name}.sql"


def _strangers(config: Config) -> Iterable[SqlFileError]:
    """SQL files in places that are not read: a person may take them for a part of the plan."""
    top = config.root / config.sql
    for entry in sorted(top.iterdir()):
        if entry.name in _FOLDERS and entry.is_dir():
            strangers = [
                each
                for each in sorted(entry.iterdir())
                if (each.is_dir() and _holds_sql(each))
                or (each.suffix != ".sql" and each.suffix.lower() == ".sql")
            ]
        elif entry.is_dir():
            strangers = [entry] * _holds_sql(entry)
        else:
            strangers = [entry] * (entry.suffix.lower() == ".sql")
        for stranger in strangers:
            yield SqlFileError(
                f"{stranger.relative_to(config.root).as_posix()} is no part of the plan"
                + did_you_mean(stranger.name.lower(), _FOLDERS),
                why="only files that end in .sql, directly in one of the known folders, are",
                fix=f"move or rename it; {config.sql}/ holds {', '.join(_FOLDERS)}",
            )


def _holds_sql(folder: Path) -> bool:
    return folder.suffix.lower() == ".sql" or any(folder.rglob("*.[sS][qQ][lL]"))


def _clashes(migrations: Iterable[SqlFile]) -> list[SqlFileError]:
    by_number: dict[int, list[str]] = {}
    for file in migrations:
        by_number.setdefault(file.number or 0, []).append(file.path)
    return [
        SqlFileError(
            f"number {number} is borne by {' and '.join(paths)}",
            why="which of them runs first would depend on the rest of the name",
            fix="give one of them the next free number",
        )
        for number, paths in by_number.items()
        if len(paths) > 1
    ]
