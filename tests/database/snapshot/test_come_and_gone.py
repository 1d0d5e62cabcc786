"""Tests of snapshot/reading_again/come_and_gone.py: what is said to be back is back."""

from __future__ import annotations

import psycopg
import pytest

from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog.search import counted
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.reading_again.come_and_gone import as_many_rows, shows_return
from pytest_housekeeping.snapshot.reading_again.incremental import read_again, read_whole

SCOPE = Scope(excluded=("housekeeping",), around=Around.DATABASE | Around.SERVER)
BACK = "RESET search_path"
GROUND = """
CREATE SCHEMA desk; CREATE TABLE desk.old (n int PRIMARY KEY, subject text);
CREATE TABLE desk.other (id int); CREATE SEQUENCE desk.count;
CREATE INDEX upon ON desk.old (subject);
COMMENT ON TABLE desk.other IS 'the other';
ALTER ROLE hk_migrator SET work_mem = '4MB'"""
KEY = "CREATE TABLE desk.a (id int REFERENCES desk.old)"
# What is done, what undoes it, whether it is back in between, and whether that is shown.
CASES = {
    "a table": ("CREATE TABLE desk.a (id int DEFAULT 7, line text)", "DROP TABLE desk.a", 1, 1),
    "a key": (KEY, "DROP TABLE desk.a", 1, 1),
    "a view": ("CREATE VIEW desk.v AS SELECT n FROM desk.old", "DROP VIEW desk.v", 1, 1),
    "what an old table gets": (
        "ALTER TABLE desk.old SET (fillfactor = 60)",
        "ALTER TABLE desk.old RESET (fillfactor)",
        *(1, 0),
    ),
    "a comment": ("COMMENT ON TABLE desk.old IS 'x'", "DROP TABLE IF EXISTS desk.no", 0, 0),
    "another comment": ("COMMENT ON TABLE desk.other IS 'x'", "DROP TABLE IF EXISTS desk.no", 0, 0),
    "a column": (
        "ALTER TABLE desk.old ALTER subject SET NOT NULL; CREATE TABLE desk.a (id int)",
        "DROP TABLE desk.a",
        *(0, 0),
    ),
    "an identity beside a key": (
        f"{KEY}; ALTER TABLE desk.old REPLICA IDENTITY FULL",
        "DROP TABLE desk.a",
        *(0, 0),
    ),
    "an option that comes and goes": (
        "ALTER TABLE desk.old RESET (fillfactor)",
        "ALTER TABLE desk.old SET (fillfactor = 60)",
        *(0, 0),
    ),
    "the same beside a key": (
        f"{KEY}; ALTER TABLE desk.other RESET (fillfactor)",
        "DROP TABLE desk.a; ALTER TABLE desk.other SET (fillfactor = 60)",
        *(0, 0),
    ),
    "one for another": (
        "CREATE TABLE IF NOT EXISTS desk.a (); CREATE TABLE IF NOT EXISTS desk.other (id int)",
        "DROP TABLE desk.other; COMMENT ON TABLE desk.a IS 'a'",
        *(0, 0),
    ),
    "a part of an old sequence": (
        "ALTER SEQUENCE desk.count OWNED BY desk.old.n",
        "ALTER TABLE desk.old DROP CONSTRAINT IF EXISTS no",
        *(0, 0),
    ),
    "a role's setting": (
        "CREATE TABLE desk.a (id int); ALTER ROLE hk_migrator SET work_mem = '5MB'",
        "DROP TABLE desk.a",
        *(0, 0),
    ),
    "a comment for another": (
        "COMMENT ON TABLE desk.old IS 'x'",
        "COMMENT ON TABLE desk.other IS NULL",
        *(0, 0),
    ),
}


@pytest.mark.parametrize("settled", [True, False], ids=["committed before", "of this transaction"])
def test_what_is_said_to_be_back_is(database: StagingDatabase, settled: bool) -> None:
    with psycopg.connect(database.superuser_conninfo, prepare_threshold=None) as connection:
        connection.execute(GROUND)
        if settled:
            connection.commit()
        # Read once more, for the counts are of a reading that has one before it.
        first = read_again(connection, read_whole(connection, SCOPE), alone=True)
        found = {}
        for name, (up, down, _, _) in CASES.items():
            connection.execute("SAVEPOINT tried")
            before = read_again(connection, first, alone=True, put_back=BACK)
            connection.execute(f"{up};{down}".encode())
            between = read_again(connection, before, alone=True, put_back=BACK)
            written = counted(connection, before.catalogs, put_back=BACK)
            connection.execute(f"SAVEPOINT again; {up}".encode())
            now = read_again(connection, before, alone=True, put_back=BACK)
            shown = as_many_rows(before.rows, written) and shows_return(before, now)
            found[name] = (not before.differs_from(between), shown)
            connection.execute("ROLLBACK TO SAVEPOINT tried")
        connection.execute("ROLLBACK; ALTER ROLE hk_migrator RESET work_mem")

    assert found == {name: (bool(back), bool(shown)) for name, (*_, back, shown) in CASES.items()}
