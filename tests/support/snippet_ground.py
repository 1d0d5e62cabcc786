"""The labelled snippets, and the small database that they speak of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.postgres.connection import Connection

FOLDER = Path(__file__).parent / "snippets"
SUFFIXES = {"python": ".py", "typescript": ".ts", "sql": ".sql", "prisma": ".prisma"}
ROLES = ("venture_app", "governance_officer")
EVERYTHING = Boundaries(
    apps=(App(name="venture", roles=("venture_app",), schemas=("nowhere",), code=("app/**",)),),
    zones=(Zone(name="all", schemas=("venture", "governance")),),
    contracts=(Contract(name="out", type="forbidden", source="venture", target="all"),),
)
SCHEMA = """
CREATE SCHEMA venture;
CREATE SCHEMA governance;
CREATE TABLE venture.orders (id bigint, total numeric, note text, data jsonb);
CREATE TABLE venture.shop_item (id bigint);
CREATE FUNCTION venture.order_total(id bigint) RETURNS numeric LANGUAGE sql RETURN 1;
CREATE FUNCTION venture.report() RETURNS void LANGUAGE sql AS 'SELECT 1';
CREATE TABLE governance.ledger (id bigint, entry text);
CREATE TABLE governance.policy (id bigint, title text);
CREATE FUNCTION governance.close_books(year int) RETURNS int LANGUAGE sql RETURN 1;
CREATE FUNCTION governance.breaks() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
CREATE PROCEDURE governance.settle(year int) LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
GRANT USAGE ON SCHEMA venture TO venture_app;
GRANT USAGE ON SCHEMA governance TO governance_officer;
GRANT SELECT ON governance.ledger TO governance_officer;
"""


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Code, and what is to be found in it: ``line object``, each once."""

    language: str
    title: str
    code: str
    expected: frozenset[str]

    @property
    def file(self) -> str:
        name = re.sub(r"\W+", "_", self.title)
        return f"app/{self.language}/{name}{SUFFIXES[self.language]}"

    def __str__(self) -> str:
        return f"{self.language}: {self.title}"


def snippets() -> Iterator[Snippet]:
    """All of them, in the order of their files."""
    for language in SUFFIXES:
        text = (FOLDER / f"{language}.txt").read_text(encoding="utf-8")
        for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
            title, _, rest = block.partition("\n")
            lines = rest.split("\n")
            labels = [line[2:] for line in lines if line.startswith("~ ")]
            yield Snippet(
                language=language,
                title=title,
                code="\n".join(lines[len(labels) :]),
                expected=frozenset(labels),
            )


@contextmanager
def laid_schema(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    """An open transaction with the schema in it; the roles are gone afterwards."""
    row = connection.execute("SELECT current_user").fetchone()
    migrator = sql.Identifier(row[0] if row else "")
    made = []
    for role in ROLES:
        name = sql.Identifier(role)
        known = superuser.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if known is None:
            superuser.execute(sql.SQL("CREATE ROLE {}").format(name))
            made.append(name)
        superuser.execute(sql.SQL("GRANT {} TO {}").format(name, migrator))
    database = sql.Identifier(connection.info.dbname)
    superuser.execute(
        sql.SQL("ALTER ROLE venture_app IN DATABASE {} SET search_path = venture").format(database)
    )
    connection.execute("BEGIN")
    connection.execute(SCHEMA.encode())
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")
        superuser.execute(
            sql.SQL("ALTER ROLE venture_app IN DATABASE {} RESET ALL").format(database)
        )
        for name in made:
            superuser.execute(sql.SQL("DROP ROLE {}").format(name))
