"""Migrations in code: whose they are, and how SQL is had of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.sql.layouts.detect import walk
from pytest_housekeeping.sql.project_files import ProjectFiles

# By the path of a file; the first that fits counts.
_TOOLS = tuple(
    (tool, re.compile(rf"(?:.*/)?{pattern}"))
    for tool, pattern in (
        ("Rails", r"db/migrate/\d+_\w+\.rb"),
        ("Ecto", r"priv/\w+/migrations/\d+_\w+\.exs"),
        ("Alembic", r"alembic\.ini"),
        ("Django", r"migrations/\d{4}_\w+\.py"),
        ("Laravel", r"database/migrations/\d{4}_\d\d_\d\d_\d+_\w+\.php"),
        ("Entity Framework", r"Migrations/\d{14}_\w+\.cs"),
        ("Liquibase", r"(?:[\w-]+\.)?changelog[\w.-]*\.(?:xml|ya?ml|json)"),
        ("Knex, TypeORM, Sequelize or Kysely", r"migrations?/\d+[-_][\w-]+\.[cm]?[jt]s"),
    )
)


def without_sql(files: ProjectFiles) -> str:
    """What a project has in the place of SQL files, for a message that says that there are none."""
    found = next(_found(files), None)
    if found is None:
        told = ", and no other tool's migrations: 0001_first.sql goes into sql/migrations/"
        most = max(walk(files), key=lambda folder: len(folder.sql), default=None)
        if most is None or not most.sql:
            return f"{told}, and python -m pytest_housekeeping new FIRST begins it"
        return (
            f"{told}; the names in {most.path or '.'}/ ({most.sql[0]}) begin with no number, which"
            " would be their place in the order"
        )
    tool, path = found
    return (
        f", and {path} is of {tool}, in code: how SQL is had of it says"
        " python -m pytest_housekeeping docs adoption, under 'Migrations in code'"
    )


def _found(files: ProjectFiles) -> Iterator[tuple[str, str]]:
    """The tool and the path of each migration, or of its settings, that is no SQL."""
    for folder in walk(files):
        for path in map(folder.of, folder.files):
            yield from ((tool, path) for tool, pattern in _TOOLS if pattern.fullmatch(path))
