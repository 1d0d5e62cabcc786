"""Code that runs, a schema and a batch: what the batch breaks of the code, told by the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pytest_housekeeping.checks.code.readers.extract import extract
from pytest_housekeeping.checks.running.committed_code import RunningApp, RunningCommit
from pytest_housekeeping.checks.running.state import SchemaState, read_state
from pytest_housekeeping.checks.running.verdict import running_verdict
from pytest_housekeeping.declarations.boundaries import App
from pytest_housekeeping.declarations.exemptions import CodeExemption
from pytest_housekeeping.model import Finding, Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.server import StagingDatabase
from support.files import write

TODAY = date(2026, 6, 1)
SCHEMA = """
CREATE ROLE shop_app; CREATE ROLE shop_reader;
CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO shop_app, shop_reader;
CREATE TABLE shop.customer (
    id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text, note varchar(10)
);
CREATE TABLE shop.orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer integer NOT NULL REFERENCES shop.customer, total numeric(10, 2), channel text
);
CREATE DOMAIN shop.letters AS text; CREATE DOMAIN shop.word AS shop.letters NOT NULL;
CREATE TABLE shop.coded (code shop.word);
CREATE TABLE shop.archive (LIKE shop.customer);
CREATE VIEW shop.customer_name AS SELECT id, email, name FROM shop.customer;
CREATE FUNCTION shop.price(amount integer) RETURNS integer LANGUAGE sql IMMUTABLE
    AS 'SELECT amount * 2';
CREATE PROCEDURE shop.tidy(days integer) LANGUAGE sql AS 'DELETE FROM shop.orders WHERE id < days';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO shop_reader;
"""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A database that is as it was before the batch, and a folder for the code."""

    connection: Connection
    root: Path
    roles: Sequence[str] = ("shop_app",)
    exemptions: Sequence[CodeExemption] = field(default_factory=tuple)

    def code(self, files: Mapping[str, str]) -> RunningApp:
        """The application, with these files."""
        write(self.root, files)
        app = App(name="shop", roles=tuple(self.roles), schemas=("shop",), code=("app/**",))
        return RunningApp(
            commit=RunningCommit(commit="a" * 40, known_as="the last promotion"),
            app=app,
            extraction=extract(self.root, app.code, cache_folder=self.root / "cache"),
            texts={path: text.encode() for path, text in files.items()},
            searched=len(files),
        )

    def verdict(self, files: Mapping[str, str], batch: str) -> Verdict:
        """What is said of code that runs when this batch is applied."""
        app = self.code(files)
        before = self.state(app)
        with applied(self.connection, batch):
            after = read_state(self.connection, [app])
        return running_verdict([app], before, [after], exemptions=self.exemptions, today=TODAY)

    def state(self, app: RunningApp) -> SchemaState:
        with applied(self.connection, ""):
            return read_state(self.connection, [app])

    def python(self, statement: str, batch: str) -> Verdict:
        """The same of one statement of Python."""
        return self.verdict({"app/a.py": f"cur.execute({statement!r})\n"}, batch)

    def findings(self, statement: str, batch: str) -> tuple[Finding, ...]:
        return self.python(statement, batch).findings


@contextmanager
def running_ground(database: StagingDatabase, root: Path) -> Iterator[Ground]:
    """The schema, made by a superuser, who may become any role."""
    with closing(connect(database.superuser_conninfo)) as connection:
        connection.execute(SCHEMA.encode())
        try:
            yield Ground(connection=connection, root=root)
        finally:
            connection.execute(
                "DROP SCHEMA shop CASCADE; DROP OWNED BY shop_app, shop_reader;"
                " DROP ROLE shop_app, shop_reader"
            )


@contextmanager
def applied(connection: Connection, batch: str) -> Iterator[None]:
    """The batch in a transaction that is rolled back."""
    connection.execute("BEGIN")
    try:
        if batch:
            connection.execute(batch.encode())
        yield
    finally:
        connection.execute("ROLLBACK")
