"""What a layout is: which files a tool reads, in which order, and what of each is SQL that runs."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file in its place: ``path`` as the plan calls it, ``version`` as the tool's table does.

    ``undoes`` is the path of the migration that a rollback takes back, ``rollback`` the path of
    the rollback that a migration would have. ``outside``: the tool is told beside the file that no
    transaction is to hold it. ``of_tool`` marks a repeatable file that the tool keeps; one that is
    applied behind ``every`` batch is in no history of it.
    """

    path: str
    kind: Kind
    version: str = ""
    undoes: str = ""
    rollback: str = ""
    outside: bool = False
    of_tool: bool = False
    every: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The files that a tool would read, each kind in its order; those that it passes over, and
    why; and what keeps the order from being made."""

    entries: tuple[Entry, ...] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[SqlFileError, ...] = ()

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is kind]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A file as it runs: every line where it stands on the disk. ``outside``: a mark in it says
    that no transaction is to hold it; ``told`` is what was taken out of it."""

    text: str
    problems: tuple[Problem, ...] = ()
    told: tuple[Problem, ...] = ()
    outside: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What a layout reads: the settings and the files of a project."""

    config: Config
    files: ProjectFiles

    @property
    def folder(self) -> str:
        """The tool's folder, from the root; "" for the root itself."""
        return self.config.migrations_folder.removeprefix(".")

    def at(self, *names: str) -> str:
        """A path below it."""
        return posixpath.join(self.folder, *names)

    def named(self, pattern: str, name: re.Pattern[str]) -> list[str]:
        """The paths of the files directly in it that fit, and whose names are such."""
        found = self.files.find(self.folder, pattern)
        return [path for path in found if name.fullmatch(path.rpartition("/")[2])]

    def toml(self, path: str) -> dict[str, Any]:
        """What a file says; nothing for one that is not there, or that is no TOML."""
        if not self.files.has(path):
            return {}
        try:
            return tomllib.loads(self.files.read(path).decode())
        except ValueError:
            return {}

    def text(self, path: str) -> str:
        """That of a file on the disk; "" of one that cannot be read, which is told elsewhere."""
        try:
            return self.files.read(path).decode(errors="replace")
        except OSError:
            return ""


def as_it_stands(_: Ground, __: str, text: str) -> Reading:
    """For tools that have a file of its own for each direction, and no marks in it."""
    return Reading(text=text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One tool's way of keeping migrations.

    ``marks`` are those of `foreign_marks` that it reads; ``psql_home`` is the folder in which
    psql is started, of a tool that gives its files to it; ``placeholders``: what
    looks like one is what the tool takes it for, and needs no header. ``outside_mark`` is how the
    tool is told that no transaction is to hold a file; ``one_by_one``: it sends the statements of
    each file one by one; ``looks_itself``: of one in which no transaction can hold any of them.
    ``recorded`` is what its own table calls each file, by path, where that is not its version.
    """

    name: str
    tool: str
    listing: Callable[[Ground], Listing]
    reading: Callable[[Ground, str, str], Reading] = as_it_stands
    recorded: Callable[[Ground], Mapping[str, str]] | None = None
    marks: tuple[str, ...] = ()
    psql_home: Callable[[Ground], str] | None = None
    placeholders: bool = True
    outside_mark: str = ""
    one_by_one: bool = False
    looks_itself: bool = False


def not_run_here(paths: Sequence[str], one: str, more: str, *, fix: str) -> Iterator[SqlFileError]:
    """One error for all files of a kind that a tool runs and nothing here does: what ``one`` of
    them is, and what ``more`` are."""
    if paths:
        yield SqlFileError(
            f"{', '.join(paths)} {one if len(paths) == 1 else more}",
            why="it would not run here, and what it does would be missing without a word",
            fix=fix,
        )
