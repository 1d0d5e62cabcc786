"""What PostgreSQL 16 does not know: keys that nothing enforces, keys over time, more of MERGE."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.checks.out_of_force import read_out_of_force
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.server import ServerSettings, start
from support.blind import CONTRACT, GROUND
from support.blind.ground import FILL, function
from support.guarded import RULES, judged

KEY = "ALTER TABLE studio.task ADD CONSTRAINT k FOREIGN KEY (project_id) REFERENCES studio.project"
ROOM = """
CREATE TABLE studio.room (
    no int4range NOT NULL, during daterange NOT NULL, slug text NOT NULL{0}
);
ALTER TABLE studio.room ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON studio.room TO studio_web
USING (no = nullif(current_setting('app.slug', true), '')::int4range);
GRANT SELECT, INSERT, UPDATE, DELETE ON studio.room TO studio_web;
"""

OWN = "p.tenant_id = studio.tenant()"
PAST = {"definer-exempt-owner"}


def merges(then: str, on: str = f"p.id = s.id AND {OWN}", source: str = "(SELECT i AS id)") -> str:
    """A definer of whoever filled the tables."""
    body = f"MERGE INTO studio.project AS p USING {source} AS s ON {on} {then} RETURNING p.name"
    how = "VOLATILE SECURITY DEFINER SET search_path = ''"
    made = function("studio.f(i uuid)", "SETOF text", body, how=how, owner="studio_fill")
    return FILL + made


@pytest.fixture(scope="module")
def studio() -> Iterator[Connection]:
    server = start(ServerSettings(version=18))
    try:
        with psycopg.connect(server.database().superuser_conninfo, autocommit=True) as connection:
            connection.execute("BEGIN")
            connection.execute(GROUND.encode())
            connection.execute("SET LOCAL ROLE hk_migrator")
            yield connection
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"{KEY} (id) ON DELETE CASCADE", {"covert-cascade"}),
        (f"{KEY} (id) ON DELETE CASCADE NOT VALID", {"covert-cascade"}),
        (f"{KEY} (id) ON DELETE CASCADE NOT ENFORCED", set()),
        (ROOM.format(", PRIMARY KEY (no, during WITHOUT OVERLAPS)"), set()),
        (ROOM.format(", UNIQUE (no, during WITHOUT OVERLAPS)"), set()),
        ("GRANT MAINTAIN ON studio.project TO studio_web", {"privilege-on-whole-table"}),
        (
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO studio_web",
            {"privilege-default"},
        ),
        (merges("WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN DO NOTHING"), set()),
        (merges("WHEN MATCHED THEN DELETE"), set()),
        (
            merges("WHEN NOT MATCHED THEN INSERT (tenant_id, name) VALUES (studio.tenant(), 'x')"),
            set(),
        ),
        (merges("WHEN MATCHED THEN DELETE", on="p.id = s.id"), PAST),
        (merges("WHEN MATCHED THEN DELETE", on=f"p.id = s.id OR {OWN}"), PAST),
        (merges("WHEN MATCHED THEN UPDATE SET tenant_id = s.id"), PAST),
        (merges("WHEN NOT MATCHED THEN INSERT (tenant_id, name) VALUES (s.id, 'x')"), PAST),
        (merges("WHEN NOT MATCHED THEN INSERT (name) VALUES ('x')"), PAST),
        (merges("WHEN NOT MATCHED BY SOURCE THEN DELETE"), PAST),
        (
            merges(
                "WHEN NOT MATCHED THEN INSERT (tenant_id, name) VALUES (studio.tenant(), s.name)",
                source="studio.project",
            ),
            PAST,
        ),
    ],
)
def test_what_the_rules_say_of_it(studio: Connection, sql: str, expected: set[str]) -> None:
    with rolled_back(studio):
        studio.execute(sql.encode())
        assert {each.rule for each in judged(studio, CONTRACT, list(RULES.values()))} == expected


def test_what_nothing_enforces_cannot_be_validated(studio: Connection) -> None:
    with rolled_back(studio):
        studio.execute(f"{KEY} (id) NOT ENFORCED".encode())
        (found,) = read_out_of_force(studio, ["studio"])
        assert "any row may break it" in found.detail
        studio.execute(found.repair.partition(";")[0].encode())
        assert read_out_of_force(studio, ["studio"]) == ()
