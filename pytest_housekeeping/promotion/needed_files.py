"""The SQL files that the code of a commit counts on: those of that commit, as git has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.declarations.settings import SETTINGS, settings_in
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git_objects import contents_at, files_below, objects
from pytest_housekeeping.plan.plan import AppliedFile
from pytest_housekeeping.promotion.applied import FILES
from pytest_housekeeping.sql.file import FOLDERS
from pytest_housekeeping.sql.text import digest

_WHY = "what a deployment of it would need has to be known before it is made"


@dataclass(frozen=True, kw_only=True, slots=True)
class NeededFile:
    """A file of the commit, and its digest there."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class NeededFiles:
    """All of one commit, which was given as ``name``."""

    name: str
    commit: str
    files: tuple[NeededFile, ...]

    def lacking(self, applied: Sequence[AppliedFile]) -> list[str]:
        """Each file that is not applied with this very text, and why.

        A view or policy may have got a newer text since: code that is older than the schema does
        not run ahead of it.
        """
        texts: dict[str, list[str]] = {}
        for each in applied:
            texts.setdefault(each.path, []).append(each.sha256)
        return [
            f"{file.path}: {_why_not(file, texts.get(file.path, []))}"
            for file in self.files
            if file.sha256 not in texts.get(file.path, [])
        ]


def needed_files(repository: Repository, root: Path, name: str) -> NeededFiles:
    """The migrations, views and policies of a commit, in the folder that its settings name.

    Raises MisuseError for what is no commit of this clone, and for one that has no such file.
    """
    commit = repository.commit(name) if name else None
    if commit is None:
        raise MisuseError(
            f"--needs={name}: this clone has no such commit",
            why=_WHY,
            fix="give a commit, a branch or a tag that is here: git fetch --tags origin",
        )
    place = repository.relative(root)
    prefix = "" if place == "." else f"{place}/"
    sql = _sql_folder(contents_at(repository, commit, [prefix + SETTINGS]).get(prefix + SETTINGS))
    folders = [f"{sql}/{FOLDERS[kind]}" for kind in FILES]
    found: dict[str, str] = {}
    below = files_below(repository, [f"{commit}:{prefix}{folder}" for folder in folders])
    for folder, held in zip(folders, below, strict=True):
        for file, oid in held.items():
            if "/" not in file and file.endswith(".sql"):
                found[f"{folder}/{file}"] = oid
    if not found:
        raise MisuseError(
            f"{name} ({commit[:12]}) has no SQL file in {' or '.join(folders)}",
            why="a commit that needs nothing is seldom the one that was meant",
            fix="give a commit of the project that is promoted from here",
        )
    texts = dict(objects(repository, dict.fromkeys(found.values())))
    files = (NeededFile(path=path, sha256=digest(texts[oid])) for path, oid in found.items())
    return NeededFiles(name=name, commit=commit, files=tuple(files))


def _sql_folder(settings: bytes | None) -> str:
    """As the commit itself has it set."""
    given = settings_in(settings) if settings is not None else None
    folder = given.get("sql", "sql") if isinstance(given, dict) else "sql"
    return folder if isinstance(folder, str) else "sql"


def _why_not(file: NeededFile, texts: Sequence[str]) -> str:
    if not texts:
        return "not applied"
    return f"applied with another text (sha256 {texts[-1][:12]}, and {file.sha256[:12]} there)"
