"""Tests of snapshot/reading_again/made_in_turn.py: each file has added what it is said to."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog.search import counted
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.snapshot.reading_again.incremental import Reading, read_again, read_whole
from pytest_housekeeping.snapshot.reading_again.made_in_turn import made_in_turn

SCOPE = Scope(excluded=("housekeeping",), around=Around.DATABASE | Around.SERVER)
BACK = "RESET search_path"
GROUND = """
CREATE SCHEMA desk; CREATE TABLE desk.old (n int PRIMARY KEY, subject text DEFAULT 'x');
CREATE TYPE desk.kind AS ENUM ('a'); CREATE VIEW desk.v AS SELECT n FROM desk.old;
COMMENT ON TABLE desk.old IS 'x'; CREATE FUNCTION desk.f() RETURNS int LANGUAGE sql RETURN 1"""
A, B = "CREATE TABLE desk.a (id int PRIMARY KEY)", "CREATE TABLE desk.b (id int DEFAULT 7)"
# The files, and whether it is told what each has added.
CASES: dict[tuple[str, ...], bool] = {
    (A, B): True,
    (A, "CREATE TABLE desk.b (a int REFERENCES desk.a)"): False,
    ("CREATE TABLE desk.a (n int REFERENCES desk.old)", B): True,
    (A, "CREATE TABLE desk.b (n int REFERENCES desk.old)"): False,
    ("CREATE INDEX i ON desk.old (subject)", B): True,
    (A, "CREATE INDEX i ON desk.old (subject)"): False,
    ("CREATE POLICY p ON desk.old USING (true)", A, B): True,
    ("CREATE VIEW desk.w AS SELECT 1 AS x", "CREATE FUNCTION desk.g() RETURNS int RETURN 2"): True,
    ("CREATE TYPE desk.t AS ENUM ('a')", "CREATE DOMAIN desk.d AS int CHECK (VALUE > 1)"): True,
    (A, "COMMENT ON TABLE desk.a IS 'x'"): False,
    ("COMMENT ON TABLE desk.old IS 'y'", B): False,
    ("COMMENT ON TABLE desk.old IS NULL", B): False,
    (A, "DROP TABLE desk.a"): False,
    (A, "DROP VIEW desk.v"): False,
    ("DROP VIEW desk.v", B): False,
    (A, "ALTER TYPE desk.kind ADD VALUE 'b'"): False,
    (A, "ALTER FUNCTION desk.f() STABLE"): False,
    ("ALTER TABLE desk.old ALTER subject SET DEFAULT 'y'", B): False,
    (A, "GRANT SELECT ON desk.old TO PUBLIC"): False,
    (A, "ALTER TABLE desk.old ENABLE ROW LEVEL SECURITY"): False,
    ("ALTER TABLE desk.old ENABLE ROW LEVEL SECURITY", B): False,
    (f"ALTER TABLE desk.old REPLICA IDENTITY FULL; {A}", B): False,
    (f"ALTER TABLE desk.old SET (fillfactor = 50); {A}", B): False,
    (A, "ALTER DATABASE {} SET work_mem = '5MB'"): False,
    ("ALTER ROLE hk_migrator SET work_mem = '5MB'", B): False,
    (A, "CREATE SCHEMA more"): False,
    (A, "SELECT 1"): False,
    (A, "CREATE TABLE desk.b (id int); DROP TABLE desk.b"): False,
    (A, "ALTER TABLE desk.a RENAME TO c", A): False,
    (A, f"DROP TABLE desk.a; {A}"): False,
}


def test_what_each_is_said_to_have_added_is_what_readings_between_find(
    database: StagingDatabase,
) -> None:
    with psycopg.connect(database.superuser_conninfo, prepare_threshold=None) as connection:
        connection.execute(GROUND.encode())
        first = read_again(connection, read_whole(connection, SCOPE), alone=True)
        told = {}
        for files in CASES:
            texts = [text.format(database.name) for text in files]
            connection.execute("SAVEPOINT tried")
            found = _in_turn(connection, _read(connection, first), texts)
            connection.execute("ROLLBACK TO tried")
            told[files] = found is not None
            if found is not None:
                assert found == _one_by_one(connection, _read(connection, first), texts), files
                connection.execute("ROLLBACK TO tried")

    assert told == CASES


def _read(connection: Connection, before: Reading) -> Reading:
    return read_again(connection, before, alone=True, put_back=BACK)


def _in_turn(
    connection: Connection, before: Reading, texts: Sequence[str]
) -> list[frozenset[SchemaObject]] | None:
    """As the way up does it: see `checks.rollbacks.ascent`."""
    catalogs = before.catalogs
    written = [counted(connection, catalogs)]
    for place, text in enumerate(texts, 1):
        connection.execute(text.encode())
        first = "RELEASE hk_file" if place > 1 else ""
        then = "SAVEPOINT hk_file" if place < len(texts) else ""
        written.append(counted(connection, catalogs, first=first, then=then))
    return made_in_turn(before, _read(connection, before), written)


def _one_by_one(
    connection: Connection, before: Reading, texts: Sequence[str]
) -> list[frozenset[SchemaObject]]:
    added = []
    for text in texts:
        connection.execute(text.encode())
        now = _read(connection, before)
        gone, came = before.apart(now)
        assert {*gone.entries} <= {*came.entries}, text
        added.append(frozenset({*came.entries} - {*gone.entries}))
        before = now
    return added
