"""The files of a project applied as `init` does: history as it was run, the rest as a batch."""

from __future__ import annotations

from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.plan.given_past import given_paths
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion.init.needed import out_of_path
from pytest_housekeeping.promotion.replay import apply_segment, replay_file, segments_of
from pytest_housekeeping.promotion.throwaway import Throwaway, superuser_alone
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.project_files import ProjectFiles


def apply_all(
    config: Config, sources: ProjectFiles, throwaway: Throwaway, files: list[SqlFile]
) -> tuple[str, ...]:
    """What is history as it was run, each by itself; the rest as a batch. What of the past a
    superuser alone may run."""
    known = given_paths(config, sources)
    batch = [
        (step, text_of(config, sources, step.path))
        for file in files
        if file.path not in known
        for step in file.steps
    ]
    said = config.as_superuser
    connection = throwaway.migrator()
    try:
        for file in files:
            if file.path in known:
                text = text_of(config, sources, file.path)
                config = _replayed(config, connection, file, text, throwaway)
        for segment in segments_of(batch):
            _applied(config, connection, segment, throwaway)
    finally:
        connection.close()
    return tuple(path for path in config.as_superuser if path not in said)


def _applied(
    config: Config,
    connection: LentConnection,
    segment: list[tuple[SqlFile, str]],
    throwaway: Throwaway,
) -> None:
    """A segment; one in which a file names what it does not find leaves what stands before it, for
    that is where it is looked for."""
    try:
        apply_segment(config, connection, segment, throwaway)
    except SqlFailed as error:
        if out_of_path(error):
            for each in segment:
                apply_segment(config, connection, [each], throwaway)
        raise


def _replayed(
    config: Config, connection: LentConnection, file: SqlFile, text: str, throwaway: Throwaway
) -> Config:
    """The settings with which a file of history runs: as a superuser, where nobody else may, and
    nothing of it has stayed."""
    try:
        replay_file(config, connection, file, text, throwaway)
    except SqlFailed as error:
        if file.problems or file.parts or not superuser_alone(error):
            raise
        config = replace(config, as_superuser={**config.as_superuser, file.path: ""})
        replay_file(config, connection, file, text, throwaway)
    return config
