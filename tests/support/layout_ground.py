"""A project in the form of some tool, and what its layout makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import ProjectSql, read_all
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write

ALL = (Kind.MIGRATION, Kind.ROLLBACK, Kind.VIEW, Kind.POLICY, Kind.SEED)


@dataclass(frozen=True, kw_only=True)
class ReadLayout:
    """A project that was read, and its files by kind."""

    config: Config
    sources: ProjectFiles
    found: ProjectSql

    def paths(self, kind: Kind = Kind.MIGRATION) -> list[str]:
        """In the order in which they run, without the tool's folder."""
        below = f"{self.config.migrations_folder}/"
        return [file.path.removeprefix(below) for file in self.found.files[kind]]

    def file(self, name: str) -> SqlFile:
        """The file whose path ends so."""
        groups = self.found.files.values()
        files = [each for group in groups for file in group for each in (file, *file.parts)]
        return next(file for file in files if file.path.endswith(name))

    def text(self, name: str) -> str:
        """What of it runs."""
        return text_of(self.config, self.sources, self.file(name).path)

    def problems(self, name: str) -> list[tuple[int, str]]:
        return [(each.line, each.found) for each in self.file(name).problems]

    def told(self, name: str) -> list[tuple[int, str]]:
        return [(each.line, each.found) for each in self.file(name).told]

    @property
    def errors(self) -> str:
        return "\n".join(map(str, self.found.errors))


def read_layout(root: Path, files: Mapping[str, str], *, settings: str = "") -> ReadLayout:
    """The project as it is read; without ``settings`` its layout is found by itself."""
    write(root, {"checks/objects.toml": "", **files})
    text = f"[tool.housekeeping]\n{settings}\n"
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    sources = ProjectFiles(root)
    config = load_config(root, sources)
    return ReadLayout(config=config, sources=sources, found=read_all(config, sources, ALL))


def numbered(*names: str, text: str = "SELECT 1;") -> dict[str, Any]:
    """Files of one text."""
    return dict.fromkeys(names, text)
