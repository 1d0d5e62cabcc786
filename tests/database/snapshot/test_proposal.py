"""What is proposed from two dumps leads back, and what does not is said."""

from __future__ import annotations

import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.way_back.inverse import Mark, Proposed
from pytest_housekeeping.snapshot.way_back.proposal import proposal_text, propose

GROUND = """
CREATE SCHEMA desk;
CREATE TYPE desk.kind AS ENUM ('a', 'b');
CREATE TABLE desk."Ticket No" (id int PRIMARY KEY, "select" text NOT NULL, kind desk.kind);
CREATE TABLE desk.note (id int, body text DEFAULT 'x', CONSTRAINT short CHECK (length(body) < 9));
CREATE VIEW desk.open AS SELECT id FROM desk.note;
GRANT SELECT ON desk.open TO PUBLIC;
CREATE FUNCTION desk.words(body text) RETURNS int LANGUAGE sql AS $$SELECT 1; -- CREATE FUNCTION
$$;
CREATE INDEX note_id ON desk.note (id);
ALTER TABLE desk.note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.note USING (id > 0);
"""


def proposed_for(place: StagingDatabase, connection: Connection, change: str) -> list[Proposed]:
    """Make the ground, change it, and propose the way back; it is run where it is not a comment."""
    connection.execute(GROUND)
    before, was = _dump(place), read_fingerprint(connection)
    connection.execute(change)
    proposed = list(propose(before, _dump(place)))
    with connection.transaction():
        for each in proposed:
            if not each.sql.startswith("--"):
                connection.execute(each.sql.encode())
    left = diff(was, read_fingerprint(connection))
    told = any(each.sql.startswith("--") for each in proposed)
    assert left == () or told, (left, proposed)
    return proposed


def _dump(place: StagingDatabase) -> str:
    return dump_schema(place.superuser_conninfo, server_major=16).decode()


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ("CREATE TABLE desk.new (id serial PRIMARY KEY); CREATE INDEX i ON desk.new (id);", "d"),
        ("CREATE TYPE desk.t AS ENUM ('x'); ALTER TABLE desk.note ADD t desk.t;", "d"),
        ("ALTER TABLE desk.note DROP body;", "c"),
        ("DROP VIEW desk.open; DROP TABLE desk.note;", "c"),
        ('ALTER TABLE desk."Ticket No" ALTER id TYPE bigint, ALTER "select" DROP NOT NULL;', "d"),
        ("ALTER TABLE desk.note ALTER body SET DEFAULT 'y', DROP CONSTRAINT short;", ""),
        ("ALTER TABLE desk.note ALTER body DROP DEFAULT, ADD CONSTRAINT n CHECK (id > 1);", ""),
        ("CREATE OR REPLACE VIEW desk.open AS SELECT id, body FROM desk.note;", ""),
        (("CREATE OR REPLACE VIEW desk.open AS SELECT id, 1 AS n FROM desk.note;"
         "CREATE VIEW desk.upon AS SELECT n FROM desk.open;"), ""),
        (("CREATE OR REPLACE FUNCTION desk.words(body text) RETURNS int LANGUAGE sql"
         " AS $$SELECT 2$$;"), ""),
        ("DROP FUNCTION desk.words; DROP INDEX desk.note_id; DROP POLICY own ON desk.note;", ""),
        (("DROP POLICY own ON desk.note; CREATE POLICY own ON desk.note USING (id > 1);"
         "ALTER TABLE desk.note FORCE ROW LEVEL SECURITY;"), ""),
        ("ALTER TABLE desk.note DISABLE ROW LEVEL SECURITY;", ""),
        (("REVOKE SELECT ON desk.open FROM PUBLIC; GRANT INSERT ON desk.note TO PUBLIC;"
         "COMMENT ON TABLE desk.note IS 'new';"), ""),
        (("CREATE SCHEMA other; CREATE DOMAIN other.d AS int; CREATE SEQUENCE other.s;"
         "CREATE MATERIALIZED VIEW other.m AS SELECT 1 AS one;"
         "CREATE PROCEDURE other.p(x int) LANGUAGE sql AS 'SELECT 1';"
         "CREATE STATISTICS other.st ON id, body FROM desk.note;"), ""),
        ("ALTER TABLE desk.note ADD c int GENERATED ALWAYS AS IDENTITY;", "d"),
        (("CREATE TABLE desk.part (id int) PARTITION BY RANGE (id);"
         "CREATE TABLE desk.part1 PARTITION OF desk.part FOR VALUES FROM (1) TO (9);"), "dd"),
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT SELECT ON TABLES TO PUBLIC;", ""),
    ],
)  # fmt: skip
def test_the_way_back(
    database: StagingDatabase, superuser: Connection, change: str, marks: str
) -> None:
    proposed = proposed_for(database, superuser, change)

    assert proposed
    grave = [each.mark for each in proposed if each.mark is not Mark.SAFE]
    kinds = {"d": Mark.DESTROYS_DATA, "c": Mark.CANNOT_BE_UNDONE}
    assert grave == [kinds[letter] for letter in marks]
    assert not any(each.sql.startswith("--") for each in proposed)


def test_what_has_no_way_back_is_said(database: StagingDatabase, superuser: Connection) -> None:
    added = "ALTER TYPE desk.kind ADD VALUE 'c';"
    (proposed,) = proposed_for(database, superuser, added)

    assert (proposed.mark, proposed.sql.startswith("--")) == (Mark.CANNOT_BE_UNDONE, True)
    assert "the values c came and stay" in proposed.sql
    text = proposal_text([proposed], run="1a2b", migrations=["m/0003_x.sql"], folder="sql/rollback")
    assert "-- cannot be undone: PostgreSQL has no DROP VALUE" in text
    assert "--   sql/rollback/0003_x.sql" in text


def test_where_nothing_differs_nothing_is_proposed(
    database: StagingDatabase, superuser: Connection
) -> None:
    assert proposed_for(database, superuser, "INSERT INTO desk.note VALUES (1);") == []
    text = proposal_text([], run="1a2b", migrations=[], folder="sql/rollback")
    assert "what the promotion did was data alone" in text


def test_values_of_an_enum_come_where_they_were(
    database: StagingDatabase, connection: Connection
) -> None:
    """A rollback never meets it, for no value goes; what was made by hand may have brought some."""
    connection.execute("CREATE SCHEMA desk; CREATE TYPE desk.kind AS ENUM ('b')")
    less, was = _dump(database), read_fingerprint(connection)
    connection.execute("ALTER TYPE desk.kind ADD VALUE 'a' BEFORE 'b'")
    connection.execute("ALTER TYPE desk.kind ADD VALUE 'it''s' AFTER 'b'")
    more, now = _dump(database), read_fingerprint(connection)
    proposed = propose(more, less)
    assert [each.sql for each in proposed] == [
        "ALTER TYPE desk.kind ADD VALUE 'a' BEFORE 'b'",
        "ALTER TYPE desk.kind ADD VALUE 'it''s' AFTER 'b'",
    ]
    connection.execute("DROP TYPE desk.kind; CREATE TYPE desk.kind AS ENUM ('b')")
    assert diff(was, read_fingerprint(connection)) == ()
    for each in proposed:
        connection.execute(each.sql.encode())
    assert diff(now, read_fingerprint(connection)) == ()
