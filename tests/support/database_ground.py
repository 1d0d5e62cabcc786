"""A project with SQL files, and the test databases of a process of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from pytest_housekeeping.databases.content import State
from pytest_housekeeping.databases.databases import Databases, Lent, Run

FILES: Mapping[str, str] = {
    "sql/bootstrap/roles.sql": "CREATE ROLE reader NOLOGIN;\nCREATE ROLE app LOGIN;\n"
    "GRANT reader, app TO hk_migrator;",
    "sql/migrations/0001_note.sql": "CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY,"
    " body text NOT NULL);\nGRANT SELECT, INSERT ON note TO app;\nCREATE ROLE made_by_a_migration;"
    "\nCREATE SCHEMA of_the_owner;",
    "sql/migrations/0002_length.sql": "ALTER TABLE note ADD COLUMN length int;",
    "sql/migrations/0003_fill.sql": "UPDATE note SET length = length(body);\n"
    "CREATE ROLE made_by_the_third;",
    "sql/views/long.sql": "CREATE OR REPLACE VIEW long AS SELECT id FROM note WHERE length > 9;",
    "sql/seeds/demo.sql": "INSERT INTO note (body) VALUES ('demo');",
    "sql/seeds/more.sql": "INSERT INTO note (body) VALUES ('more');",
    "checks/rls.toml": 'schemas = ["public"]\nroles = ["app"]\ncontext = ["app.tenant_id"]\n',
}
ALL = State()


def laid(root: Path, files: Mapping[str, str | None] | None = None) -> Path:
    """The project in ``root``, with ``files`` written over it; None leaves one out."""
    for name, text in {**FILES, **(files or {})}.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return root


def process(root: Path, **run: Any) -> Databases:
    """The test databases of a process, of a run of its own unless it has a name."""
    return Databases(Run(root=root, **{"name": token_hex(8), **run}))


@contextmanager
def databases_of(root: Path, **run: Any) -> Iterator[Databases]:
    """The same, left at the end."""
    databases = process(root, **run)
    try:
        yield databases
    finally:
        databases.close()


@contextmanager
def lent(databases: Databases, state: State = ALL, **asked: Any) -> Iterator[Lent]:
    """A database as a test has it; whatever its roles have become is put back unsaid."""
    found = databases.lend(state, asked_by="a test", **asked)
    try:
        yield found
    finally:
        databases.take_back(found)


def one(lent: Lent, query: str, **context: Any) -> Any:
    """The first column of the first row."""
    with lent.database.connect(**context) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None
