"""What a template holds: the files of a project, up to where, and which seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError, did_you_mean
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.folder import all_paths, sql_paths
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import digest_of_facts

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class State:
    """Which state of the schema: of all files, or with the migrations up to the version ``at`` and
    nothing that comes behind them; and the seed files beside it."""

    at: str | None = None
    seeds: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same state, in every process."""
        return "" if self == State() else digest_of_facts([self.at, self.seeds])[:16]


@dataclass(frozen=True)
class Content:
    """The files of a project as they are when a test first asks, each read once."""

    config: Config
    files: ProjectFiles

    @cached_property
    def key(self) -> str:
        """Names all that a template is made of but tool and server: files, settings, and the day,
        which seeds may ask for."""
        today = datetime.now(UTC).date()
        read = [(path, self.files.digest(path)) for path in self.paths]
        settings = asdict(replace(self.config, root=Path()))
        return f"test-{digest_of_facts([today, settings, read])}"

    @cached_property
    def seeds(self) -> dict[str, str]:
        """The seed files by what they are called: their names without ``.sql``."""
        paths = sql_paths(self.config, self.files, Kind.SEED)
        return {PurePosixPath(path).stem: path for path in paths}

    def refuse_missing(self) -> None:
        """Raises MisuseError where the project has no SQL files at all."""
        if not self.paths:
            raise MisuseError(
                f"there are no files in {self.config.root / self.config.sql}",
                why="a test database is made of the project's SQL files, below pytest's rootdir",
                fix=f"write {self.config.sql}/migrations/0001_first.sql, or say where they are:"
                " sql = … in [tool.housekeeping] of pyproject.toml; for a database with nothing in"
                " it, hk_empty_database",
            )

    def seeds_called(self, names: Sequence[str]) -> tuple[str, ...]:
        """The seed files of these names in the order of the files, or "all" of them.

        Raises MisuseError for one that is not there.
        """
        if ALL in names:
            return tuple(self.seeds.values())
        wanted = {name.removesuffix(".sql") for name in names}
        for name in sorted(wanted - self.seeds.keys()):
            raise MisuseError(
                f"there are no seeds {name!r} in {self.config.sql}/seeds/"
                + did_you_mean(name, self.seeds),
                why="the test would run on other rows than it was written for",
                fix=f"known: {', '.join(self.seeds) or 'none'}; or {ALL!r}",
            )
        return tuple(path for name, path in self.seeds.items() if name in wanted)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All of them, with what may lie beside them and is read as well."""
        folders = [each for each in (self.config.sql, self.config.migrations_folder) if each != "."]
        found = [path for each in folders for path in self.files.find(each, "*", below=True)]
        return tuple(dict.fromkeys([*found, *map(on_disk, all_paths(self.config, self.files))]))


def version_of(text: str) -> str:
    """The version of a migration, whatever zeros stand before a number: 0012 is 12."""
    return str(int(text)) if text.isascii() and text.isdecimal() else text


def read_content(root: Path) -> Content:
    """The settings, and where the files are. Raises MisuseError for settings that are wrong."""
    files = ProjectFiles(root)
    return Content(load_config(root, files, folders=()), files)
