"""A template: the files of a project applied to an empty database, as staging applies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass

from pytest_housekeeping.config import Config
from pytest_housekeeping.databases.content import Content, State, version_of
from pytest_housekeeping.errors import HousekeepingError, MisuseError, SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.given_past import given_paths
from pytest_housekeeping.plan.pending import FILES
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.promotion.replay import apply_segment, replay_file, run_each, segments_of
from pytest_housekeeping.promotion.throwaway import advised
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import read_all
from pytest_housekeeping.sql.layouts.read import text_of


@dataclass(frozen=True, kw_only=True)
class _On:
    """A database for tests, as the files of history run on it."""

    database: StagingDatabase
    kind: str
    config: Config

    def advised(self, error: HousekeepingError) -> HousekeepingError:
        return advised(error, self.kind, self.config, self.database)

    def superuser(self) -> AbstractContextManager[LentConnection]:
        return closing(connect(self.database.superuser_conninfo, settings=self.config.session))


class TemplateMaker:
    """Applies the files of a project to databases of one server."""

    def __init__(self, content: Content, server_kind: str) -> None:
        """Reads and parses them all. Raises SqlFileError that names every file with a problem."""
        self._content, self._kind = content, server_kind
        read = read_all(content.config, content.files, (*FILES, Kind.SEED))
        found = read.files
        self._known = given_paths(content.config, content.files)
        batch = [[f for f in files if f.path not in self._known] for files in found.values()]
        errors = [*read.errors, *(error for files in batch for error in _wrong(files))]
        if errors:
            raise SqlFileError("\n".join(str(error) for error in errors))
        self._found = found

    def bootstrap(self, database: StagingDatabase) -> None:
        """Run ``sql/bootstrap/``, as superuser. Raises SqlFailed."""
        config, files = self._content.config, self._content.files
        with closing(connect(database.superuser_conninfo, settings=config.session)) as superuser:
            run_each(superuser, bootstrap_texts(config, files), self._on(database))

    def apply(self, database: StagingDatabase, state: State) -> None:
        """The files of a state, without its seeds. Raises SqlFailed with file, line and column."""
        self._apply(database, self._files(0, state.at))

    def go_on(self, database: StagingDatabase, at: str, to: str | None) -> int:
        """The migrations behind ``at`` up to ``to``, or all that is left and what comes behind the
        migrations; how many files that were. Raises MisuseError for an unknown one, and SqlFailed.
        """
        return self._apply(database, self._files(self._place_behind(at), to))

    def seed(self, database: StagingDatabase, paths: Sequence[str]) -> None:
        """These seed files, in one transaction. Raises SqlFailed."""
        self._apply(database, [file for file in self._found[Kind.SEED] if file.path in paths])

    def _on(self, database: StagingDatabase) -> _On:
        return _On(database=database, kind=self._kind, config=self._content.config)

    def _files(self, first: int, last: str | None) -> list[SqlFile]:
        migrations = self._found[Kind.MIGRATION]
        if last is None:
            return [*migrations[first:], *self._found[Kind.VIEW], *self._found[Kind.POLICY]]
        return migrations[first : self._place_behind(last, first)]

    def _place_behind(self, version: str, first: int = 0) -> int:
        """How many migrations there are up to this one. Raises MisuseError where none bears it."""
        versions = [version_of(file.version) for file in self._found[Kind.MIGRATION]]
        if version not in versions[first:]:
            known = [file.version for file in self._found[Kind.MIGRATION][first:]]
            raise MisuseError(
                f"there is no migration {version}" + f" behind {versions[first - 1]}" * bool(first),
                why="the test would run on another state than it was written for",
                fix=f"known: {', '.join(known) or 'none'}",
            )
        return versions.index(version, first) + 1

    def _apply(self, database: StagingDatabase, files: Sequence[SqlFile]) -> int:
        config = self._content.config
        sources = self._content.files
        known = [file for file in files if file.path in self._known]
        steps = [step for file in files if file.path not in self._known for step in file.steps]
        texts = [(step, text_of(config, sources, step.path)) for step in steps]
        on = self._on(database)
        with closing(connect(database.migrator_conninfo, settings=config.session)) as migrator:
            for file in known:
                replay_file(config, migrator, file, text_of(config, sources, file.path), on)
            for segment in segments_of(texts):
                apply_segment(config, migrator, segment, on)
        return len(files)


def _wrong(files: Sequence[SqlFile]) -> Iterator[SqlFileError]:
    for file in files:
        for each in file.problems:
            found = f"{file.path}:{each.line}:{each.column}: {each.found}"
            yield SqlFileError(found, why=each.why, fix=each.fix)
