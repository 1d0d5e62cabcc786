"""The SQL files that the code of a commit counts on: those of that commit, as git has them."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import SETTINGS, settings_in
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import contents_at, files_below, objects
from pytest_housekeeping.plan.pending import FILES, AppliedFile
from pytest_housekeeping.sql.folder import sql_paths
from pytest_housekeeping.sql.layouts.known import LAYOUTS, OWN, layout_of
from pytest_housekeeping.sql.project_files import ProjectFiles

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


def needed_files(repository: Repository, config: Config, name: str) -> NeededFiles:
    """The migrations, views and policies of a commit, as its own settings have them read; where
    those do not say how, as ``config`` does.

    Raises MisuseError for what is no commit of this clone, and for one that has no such file.
    """
    commit = repository.commit(name) if name else None
    if commit is None:
        raise MisuseError(
            f"--needs={name}: this clone has no such commit",
            why=_WHY,
            fix="give a commit, a branch or a tag that is here: git fetch --tags origin",
        )
    place = repository.relative(config.root)
    prefix = "" if place == "." else f"{place}/"
    then = _as_then(
        config, contents_at(repository, commit, [prefix + SETTINGS]).get(prefix + SETTINGS)
    )
    folders = list(dict.fromkeys((then.sql, then.migrations_folder)))
    with tempfile.TemporaryDirectory(prefix="hk-") as folder:
        _write(repository, f"{commit}:{prefix}", folders, Path(folder))
        there = replace(then, root=Path(folder))
        sources = ProjectFiles(there.root)
        paths = [path for kind in FILES for path in sql_paths(there, sources, kind)]
        if layout_of(there).name == OWN:  # a name that does not fit is no file less
            paths += sources.find(there.migrations_folder, "*.sql")
        files = tuple(
            NeededFile(path=path, sha256=sources.digest(path)) for path in dict.fromkeys(paths)
        )
    if not files:
        raise MisuseError(
            f"{name} ({commit[:12]}) has no SQL file in {' or '.join(folders)}",
            why="a commit that needs nothing is seldom the one that was meant",
            fix="give a commit of the project that is promoted from here",
        )
    return NeededFiles(name=name, commit=commit, files=files)


def _as_then(config: Config, settings: bytes | None) -> Config:
    """The settings that say where files are and how they are read, as the commit has them."""
    given = settings_in(settings) if settings is not None else None
    known = given if isinstance(given, dict) else {}
    said = {
        key: known[key]
        for key in ("sql", "layout", "migrations")
        if isinstance(known.get(key), str) and known[key]
    }
    if said.get("layout", config.layout) not in ("", *LAYOUTS):
        del said["layout"]
    return replace(config, **said)


def _write(repository: Repository, tree: str, folders: Sequence[str], root: Path) -> None:
    """The files of these folders of a commit, written below a root."""
    below = files_below(repository, [f"{tree}{each}".rstrip(".") for each in folders])
    found = {
        posixpath.join("" if folder == "." else folder, file): oid
        for folder, held in zip(folders, below, strict=True)
        for file, oid in held.items()
    }
    texts = dict(objects(repository, dict.fromkeys(found.values())))
    for path, oid in found.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(texts[oid])


def _why_not(file: NeededFile, texts: Sequence[str]) -> str:
    if not texts:
        return "not applied"
    return f"applied with another text (sha256 {texts[-1][:12]}, and {file.sha256[:12]} there)"
