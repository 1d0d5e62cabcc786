"""Which tool's migrations are in a project, and where: by the marks that only one tool leaves."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pytest_housekeeping.errors import MisuseError, named
from pytest_housekeeping.sql.changesets import is_formatted
from pytest_housekeeping.sql.layouts.atlas import SUM as ATLAS_SUM
from pytest_housekeeping.sql.layouts.drizzle import JOURNAL, SNAPSHOT
from pytest_housekeeping.sql.layouts.own import number_of
from pytest_housekeeping.sql.layouts.tern import CONF as TERN_CONF
from pytest_housekeeping.sql.project_files import ProjectFiles, upwards

_SHOWN = 6
# Nobody keeps the migrations of the project itself in these.
_ELSEWHERE = frozenset(
    [
        "node_modules",
        "vendor",
        "venv",
        "site-packages",
        "target",
        "dist",
        "build",
        "test",
        "tests",
        "testdata",
        "fixtures",
        "__tests__",
        "example",
        "examples",
        "docs",
    ]
)
_FLYWAY = re.compile(r"(?:[VUB]\d+(?:[._]\d+)*|R)__.+\.sql")
_UP = re.compile(r"\d+_.*\.up\.sql")
_NUMBERED = re.compile(r"\d+_.+\.sql")
_CONTENT = {
    "goose": re.compile(rb"^--[ \t]*\+goose[ \t]+up\b", re.MULTILINE | re.IGNORECASE),
    "dbmate": re.compile(rb"^--[ \t]*migrate:up\b", re.MULTILINE),
    "sql-migrate": re.compile(rb"^-- \+migrate +Up\b", re.MULTILINE),
    "rambler": re.compile(rb"^-- rambler[ \t]+up\b", re.MULTILINE),
    "tern": re.compile(rb"^---- create above / drop below ----", re.MULTILINE),
    "node-pg-migrate": re.compile(rb"^\s*--[\s-]*up\s+migration", re.MULTILINE | re.IGNORECASE),
}
_SQLX = re.compile(r"^\s*sqlx\b|\bsqlx\s*=", re.MULTILINE)
# Folders that stand above several ones of one tool.
_POSTGRESQL = frozenset(("postgres", "postgresql", "pg", "pgsql"))
_OTHERS = frozenset(
    ("mysql", "mariadb", "sqlite", "sqlite3", "mssql", "sqlserver", "oracle", "h2", "clickhouse")
)
_ABOVE = ("migration", "migrations", "flyway", "sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLayout:
    """A tool by the name of its layout, its folder from the root, and the file that says so."""

    layout: str
    folder: str
    mark: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A folder of a project, with the names of what is in it."""

    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    sql: tuple[str, ...]
    project: ProjectFiles

    def of(self, name: str) -> str:
        return posixpath.join(self.path, name)

    def holding(self, name: str) -> str:
        """A folder in it that holds a file of this name: as a path; "" where there is none."""
        paths = (self.of(f"{folder}/{name}") for folder in self.folders)
        return next((path for path in paths if (self.project.root / path).is_file()), "")


def found_layouts(files: ProjectFiles) -> tuple[FoundLayout, ...]:
    """Every tool whose migrations are in a project, each with its folder; and the folders of plain
    numbered files, as ``own``. Nothing is refused: two tools may be named for one folder."""
    found = [each for folder in walk(files) for each in _tools_of(folder)]
    layouts = dict.fromkeys(each.layout for each in found)
    merged = [each for name in layouts for each in _merged(e for e in found if e.layout == name)]
    tools = {each.folder for each in merged if each.layout != "own"}
    return tuple(each for each in merged if each.layout != "own" or each.folder not in tools)


def _several(tools: Sequence[FoundLayout]) -> MisuseError:
    said = [f"{each.layout} in {each.folder or '.'} ({each.mark})" for each in tools]
    if len({each.layout for each in tools}) > 1:
        return MisuseError(
            f"more than one tool keeps migrations here: {named(said, _SHOWN)}",
            why="each reads files in another way and order, and nobody can say which one counts",
            fix='under [tool.housekeeping]: layout = "…" and migrations = "…", the folder; of two'
            " tools' files in one folder, move one's away",
        )
    above = posixpath.commonpath([each.folder for each in tools])
    one_history = "put the files into one folder, in the order in which they run"
    if tools[0].layout == "flyway" and above:
        one_history = f'layout = "flyway" and migrations = "{above}", the folder above them'
    return MisuseError(
        f"migrations are in more than one folder here: {named(said, _SHOWN)}",
        why="each may be the history of a database of its own, and nobody can say which one counts",
        fix='under [tool.housekeeping]: migrations = "…", the folder; where all of them are one'
        f" history, {one_history}",
    )


def layouts_in(files: ProjectFiles, path: str) -> tuple[FoundLayout, ...]:
    """The tools whose marks are in one folder."""
    top = files.root / path
    if not top.is_dir():
        return ()
    return tuple(_merged(each for folder in walk(files, path) for each in _tools_of(folder)))


def the_one(found: Iterable[FoundLayout]) -> FoundLayout | None:
    """The tool that a project uses; None where there is none. Raises MisuseError, by the files
    that say so, where there is more than one."""
    candidates = list(found)
    tools = _for_postgresql([e for e in candidates if e.layout != "own"] or candidates)
    if len(tools) > 1:
        raise _several(tools)
    return tools[0] if tools else None


def walk(files: ProjectFiles, path: str = "") -> Iterator[Folder]:
    """The folders of a project in which its migrations may be, top down."""
    for place, folders, names in os.walk(files.root / path):
        folders[:] = sorted(f for f in folders if f not in _ELSEWHERE and not f.startswith("."))
        relative = Path(place).relative_to(files.root).as_posix()
        yield Folder(
            path="" if relative == "." else relative,
            files=tuple(sorted(names)),
            folders=tuple(folders),
            sql=tuple(sorted(name for name in names if name.endswith(".sql"))),
            project=files,
        )


def _tools_of(folder: Folder) -> Iterator[FoundLayout]:
    marks = {layout: mark for layout, of in _MARKS.items() if (mark := of(folder))}
    if len(marks) > 1:
        marks.pop("atlas", None)  # it keeps its sum beside files in the form of other tools too
    for layout, mark in marks.items():
        yield FoundLayout(layout=layout, folder=folder.path, mark=mark)
    plain = [name for name in folder.sql if number_of(name)]
    if plain and not marks:
        yield FoundLayout(layout="own", folder=folder.path, mark=folder.of(plain[0]))


def _named(pattern: re.Pattern[str]) -> Callable[[Folder], str]:
    def mark(folder: Folder) -> str:
        return next((folder.of(name) for name in folder.sql if pattern.fullmatch(name)), "")

    return mark


def _said(tool: str, *, in_most: bool = False) -> Callable[[Folder], str]:
    """By what stands in the files: in each of them, for a single one may have strayed here;
    ``in_most``, in half of them, where the tool reads one without its mark too."""
    says = _CONTENT[tool].search

    def mark(folder: Folder) -> str:
        paths = [folder.of(name) for name in folder.sql if number_of(name)]
        silent = (path for path in paths if not says(_bytes(folder.project, path)))
        most = len(paths) // 2 if in_most else 0
        enough = paths and len(list(islice(silent, most + 1))) <= most
        return paths[0] if enough else ""

    return mark


def _bytes(files: ProjectFiles, path: str) -> bytes:
    try:
        return files.read(path)
    except OSError:
        return b""


def _file(name: str) -> Callable[[Folder], str]:
    return lambda folder: folder.of(name) if name in folder.files else ""


def _prisma(folder: Folder) -> str:
    lock = _file("migration_lock.toml")(folder)
    return lock or ("" if folder.holding(SNAPSHOT) else folder.holding("migration.sql"))


def _supabase(folder: Folder) -> str:
    ends = f"/{folder.path}".endswith("/supabase/migrations")
    return _named(_NUMBERED)(folder) if ends else ""


def _golang_migrate(folder: Folder) -> str:
    return "" if _uses_sqlx(folder) else _named(_UP)(folder)


def _sqlx(folder: Folder) -> str:
    return _named(_NUMBERED)(folder) if folder.sql and _uses_sqlx(folder) else ""


def _drizzle(folder: Folder) -> str:
    path = folder.of(JOURNAL)
    if "meta" in folder.folders and folder.project.has(path):
        return path
    return folder.holding("migration.sql") if folder.holding(SNAPSHOT) else ""


def _tern(folder: Folder) -> str:
    return (_file(TERN_CONF)(folder) if folder.sql else "") or _said("tern", in_most=True)(folder)


def _liquibase(folder: Folder) -> str:
    """The first file alone, and nothing that is kept: it may be any file of a repository."""
    first = next((folder.of(name) for name in folder.sql), "")
    return first if first and is_formatted(folder.project.beginning(first)) else ""


def _uses_sqlx(folder: Folder) -> bool:
    """Whether the package that the folder belongs to, or the workspace, names it."""
    paths = (posixpath.join(place, "Cargo.toml") for place in upwards(folder.path))
    texts = (_bytes(folder.project, path).decode(errors="replace") for path in paths)
    return any(map(_SQLX.search, texts))


def _merged(found: Iterable[FoundLayout]) -> Iterator[FoundLayout]:
    """Of one tool, folders below one another are one; so are those that stand together in a folder
    whose name says what they are."""
    by_layout: dict[str, list[FoundLayout]] = {}
    for each in found:
        by_layout.setdefault(each.layout, []).append(each)
    for group in by_layout.values():
        tops = [e for e in group if not any(_below(e.folder, o.folder) for o in group)]
        common = posixpath.commonpath([e.folder for e in tops]) if len(tops) > 1 else ""
        together = len(tops) > 1 and posixpath.basename(common) in _ABOVE
        if together and tops[0].layout == "flyway":
            yield FoundLayout(layout="flyway", folder=common, mark=tops[0].mark)
        else:
            yield from tops


def _for_postgresql(found: list[FoundLayout]) -> list[FoundLayout]:
    """Those in folders that are not called after another database; all, where all of them are."""
    return [
        each
        for each in found
        if _words(each.folder) & _POSTGRESQL or not _words(each.folder) & _OTHERS
    ] or found


def _words(folder: str) -> set[str]:
    return set(re.split(r"[/_.-]", folder.lower()))


def _below(path: str, other: str) -> bool:
    return path != other and (other == "" or path.startswith(f"{other}/"))


_MARKS: dict[str, Callable[[Folder], str]] = {
    "flyway": _named(_FLYWAY),
    "goose": _said("goose"),
    "dbmate": _said("dbmate"),
    "sql-migrate": _said("sql-migrate"),
    "tern": _tern,
    "node-pg-migrate": _said("node-pg-migrate", in_most=True),
    "golang-migrate": _golang_migrate,
    "supabase": _supabase,
    "prisma": _prisma,
    "sqitch": _file("sqitch.plan"),
    "diesel": lambda folder: folder.holding("up.sql"),
    "sqlx": _sqlx,
    "atlas": lambda folder: _file(ATLAS_SUM)(folder) if folder.sql else "",
    "drizzle": _drizzle,
    "liquibase": _liquibase,
    "rambler": _said("rambler"),
}
