"""Databases that differ in the names that their list declares are alike; in others they are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pytest_housekeeping.config import Target
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.compare.batches import SchemaChange, with_changes
from pytest_housekeeping.snapshot.compare.own_names import as_here, group_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

# Before and behind the name of what all have, so that grants are sorted otherwise.
TENANTS = ("acme", "zeta")
SHARED = "names_reader"
_MADE = """
CREATE SCHEMA {schema} AUTHORIZATION {role};
CREATE TABLE {schema}.bill (id int, who text DEFAULT {word});
CREATE VIEW {schema}.mine AS SELECT id FROM {schema}.bill WHERE who = {word};
ALTER TABLE {schema}.bill OWNER TO {role};
GRANT SELECT ON {schema}.bill TO {shared}, {role};
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}, {shared};
ALTER ROLE {role} IN DATABASE {database} SET search_path TO {schema};
"""


class Tenants:
    """Two databases of one server, each with a role and a schema that are called after it."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def target(self, name: str) -> Target:
        others = [other for other in TENANTS if other != name]
        return Target(
            names={"app": f"{name}_app", "schema": f"tenant_{name}", "word": name},
            neighbours=[each for other in others for each in self._names(other)],
        )

    def _names(self, name: str) -> tuple[str, ...]:
        return (f"{name}_app", f"tenant_{name}", name)

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.conninfo, dbname=f"own_{name}", autocommit=True)

    def execute(self, name: str, statement: str) -> None:
        with self.connect(name) as connection:
            connection.execute(statement.encode())

    def schema(self, name: str) -> Fingerprint:
        with self.connect(name) as connection:
            return read_fingerprint(connection)

    def alike(self) -> bool:
        acme, zeta = (
            group_schema(self.schema(name), f"own_{name}", self.target(name)) for name in TENANTS
        )
        return acme == zeta


@pytest.fixture
def tenants(database: StagingDatabase, superuser: Connection) -> Iterator[Tenants]:
    made = Tenants(database.superuser_conninfo)
    superuser.execute(f"CREATE ROLE {SHARED}".encode())
    for name in TENANTS:
        superuser.execute(f"CREATE ROLE {name}_app".encode())
        superuser.execute(f"GRANT {SHARED} TO {name}_app".encode())
        superuser.execute(f"CREATE DATABASE own_{name}".encode())
        with made.connect(name) as connection:
            text = sql.SQL(_MADE).format(
                schema=sql.Identifier(f"tenant_{name}"),
                role=sql.Identifier(f"{name}_app"),
                word=sql.Literal(name),
                shared=sql.Identifier(SHARED),
                database=sql.Identifier(f"own_{name}"),
            )
            connection.execute(text)
    yield made
    for name in TENANTS:
        superuser.execute(f"DROP DATABASE own_{name} WITH (FORCE)".encode())
    for name in (*(f"{name}_app" for name in TENANTS), SHARED):
        superuser.execute(f"DROP ROLE {name}".encode())


def test_only_what_is_declared_counts_for_nothing(tenants: Tenants) -> None:
    assert tenants.alike()
    target = tenants.target("zeta")
    assert group_schema(tenants.schema("acme"), "own_acme", target) != group_schema(
        tenants.schema("zeta"), "own_zeta", target
    )


@pytest.mark.parametrize(
    ("there", "back"),
    [
        # Its neighbour's role in the place of its own is no name of its own.
        (
            "GRANT UPDATE ON tenant_acme.bill TO zeta_app",
            "REVOKE UPDATE ON tenant_acme.bill FROM zeta_app",
        ),
        ("ALTER TABLE tenant_acme.bill ALTER who SET DEFAULT 'zeta'", ""),
        # A part of a word is no name.
        ("CREATE TABLE tenant_acme.acme_old (id int)", "DROP TABLE tenant_acme.acme_old"),
        ('CREATE TABLE tenant_acme."my acme" (id int)', ""),
        # What a role may, and in whom it is, all databases of the server see.
        ("ALTER ROLE acme_app CREATEDB", "ALTER ROLE acme_app NOCREATEDB"),
        ("GRANT zeta_app TO acme_app", "REVOKE zeta_app FROM acme_app"),
        ("ALTER ROLE zeta_app IN DATABASE own_acme SET search_path TO tenant_acme", ""),
    ],
)
def test_what_differs_besides_is_a_difference(tenants: Tenants, there: str, back: str) -> None:
    tenants.execute("acme", there)
    assert not tenants.alike()
    if back:
        tenants.execute("acme", back)
        assert tenants.alike()


@pytest.mark.parametrize(
    "each",
    [
        'CREATE TABLE tenant_{own}.{own}_old (id int); CREATE TABLE public."my {own}" (id int)',
        "GRANT UPDATE ON tenant_{own}.bill TO {other}_app",
    ],
)
def test_what_only_resembles_a_name_is_a_difference(tenants: Tenants, each: str) -> None:
    """A part of a word, and the neighbour's: neither is what the list declares of the database."""
    for own, other in (TENANTS, TENANTS[::-1]):
        for statement in each.split("; "):
            tenants.execute(own, statement.format(own=own, other=other))
    assert not tenants.alike()


def test_the_same_in_both_is_alike_and_foreseen(tenants: Tenants) -> None:
    """What a batch has made of one is what it makes of the other, by that one's names."""
    files = "CREATE TABLE public.note (id int); CREATE TABLE {0}.more (who text DEFAULT {1})"
    before = {name: tenants.schema(name) for name in TENANTS}
    for name in TENANTS:
        tenants.execute(name, files.format(f"tenant_{name}", f"'{name}'"))
    assert tenants.alike()
    after = {name: tenants.schema(name) for name in TENANTS}
    made = SchemaChange(before=before["acme"], after=after["acme"])
    acme, zeta = (tenants.target(name).names for name in TENANTS)
    foreseen = with_changes(before["zeta"], as_here(made, acme, zeta))
    assert foreseen.digest == after["zeta"].digest
    assert with_changes(before["zeta"], made).digest != after["zeta"].digest
