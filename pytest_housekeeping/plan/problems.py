"""What is wrong with the files of a plan: each one by itself, and in the segment that it is in."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.segments import Segment
from pytest_housekeeping.sql.enum_values import uses_constant, value_added_at
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.own_schema import own_schema_problems
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode, digest


def problems_of(plan: Plan) -> list[tuple[SqlFile, Problem]]:
    """All that is wrong inside the files, and enum values used in the batch that adds them."""
    found = [(file, problem) for file in plan.files for problem in file.problems]
    for segment in plan.segments:
        seeds = plan.seeds if segment is plan.segments[-1] else ()
        found += _early_values(plan.sources, segment, seeds)
    return found


def own_schema_named(config: Config, plan: Plan) -> Iterable[tuple[SqlFile, Problem]]:
    """Where a file names the schema of this tool's own tables."""
    for file in plan.files:
        # What is unreadable is told as such; a text that is in no file was made by this tool.
        with suppress(SqlFileError, OSError):
            data = plan.sources.read(file.path)
            text = decode(data, file.path) if digest(data) == file.sha256 else ""
            schema, migrator = config.history_schema, config.migrator
            for problem in own_schema_problems(text, schema=schema, migrator=migrator):
                yield file, problem


def _early_values(
    sources: ProjectFiles, segment: Segment, seeds: tuple[SqlFile, ...]
) -> Iterable[tuple[SqlFile, Problem]]:
    """SQLSTATE 55P04: a new enum value cannot be used in the transaction that adds it, unless
    the type was made in it: https://www.postgresql.org/docs/16/sql-altertype.html"""
    made = {name for file in segment.files for name in file.enums_made}
    for position, file in enumerate(segment.files):
        added = [value for name, value in file.values_added if name not in made]
        users = [
            (value, later.path)
            for value in added
            for later in (*segment.files[position:], *seeds)
            if uses_constant(sources, later.path, value)
        ]
        for value, user in users:
            line, column = value_added_at(sources, file.path, value)
            problem = Problem(
                line=line,
                column=column,
                found=f"the enum value {value!r} is added here and used by {user}",
                why="PostgreSQL refuses a new value in the transaction that adds it (55P04)",
                fix="begin this file with: -- hk: transaction=own"
                if user != file.path
                else "move the statements that use it into a later file,"
                " and begin this one with: -- hk: transaction=own",
            )
            yield file, problem
