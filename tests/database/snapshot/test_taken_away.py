"""Tests of snapshot/reading_again/taken_away.py: what is said to be left is left."""

from __future__ import annotations

import psycopg

from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.reading_again.incremental import read_again, read_whole
from pytest_housekeeping.snapshot.reading_again.taken_away import Dwindling

SCOPE = Scope(excluded=("housekeeping",), around=Around.DATABASE | Around.SERVER)
BACK = "RESET search_path"
GROUND = """
CREATE SCHEMA desk; CREATE SCHEMA bare;
CREATE TABLE desk.old (n int PRIMARY KEY, subject text DEFAULT 'x', CHECK (n > 0));
CREATE TABLE desk.log (n int, at date) PARTITION BY RANGE (at);
CREATE TABLE desk.log_1 PARTITION OF desk.log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"""
MADE = """
CREATE TABLE desk.key (id int GENERATED ALWAYS AS IDENTITY, n int REFERENCES desk.old);
CREATE INDEX upon ON desk.old (subject);
CREATE POLICY own ON desk.old USING (n > 1);
CREATE TYPE desk.kind AS ENUM ('a', 'b');
CREATE DOMAIN desk.small AS int CHECK (VALUE < 9);
CREATE VIEW desk.v AS SELECT n FROM desk.old;
CREATE FUNCTION desk.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON desk.old FOR EACH ROW EXECUTE FUNCTION desk.f();
COMMENT ON INDEX desk.upon IS 'x'; GRANT SELECT ON desk.v TO PUBLIC;
CREATE DOMAIN desk.part AS int; CREATE TYPE desk.sort AS ENUM (); CREATE SEQUENCE desk.numbers;
CREATE COLLATION desk.plain FROM "C";
CREATE FUNCTION desk.one() RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
ALTER TABLE desk.old ADD a desk.part, ADD b int DEFAULT nextval('desk.numbers'),
    ADD c text COLLATE desk.plain, ADD d int GENERATED ALWAYS AS (n + desk.one()) STORED,
    ADD e int DEFAULT desk.one(), ADD CHECK (n > desk.one()), ADD UNIQUE (e);
CREATE TABLE desk.heir (f int) INHERITS (desk.old); CREATE TABLE desk.of_kind (k desk.sort[]);
CREATE TABLE desk.refers (n int REFERENCES desk.old,
    m int REFERENCES desk.old (e) ON DELETE CASCADE);
CREATE UNIQUE INDEX identity ON desk.old (n);
ALTER TABLE desk.old REPLICA IDENTITY USING INDEX identity;
ALTER TABLE desk.old CLUSTER ON identity;
CREATE VIEW desk.w AS SELECT n FROM desk.v; CREATE STATISTICS desk.s ON n, subject FROM desk.old;
CREATE RULE r AS ON DELETE TO desk.old DO INSTEAD NOTHING;
CREATE TYPE desk.pair AS (x int, y desk.sort); CREATE MATERIALIZED VIEW desk.mat AS SELECT 1 AS x;
CREATE INDEX on_mat ON desk.mat (x)"""
# What is dropped, and whether it is told what that took away.
CASES = {
    "DROP TABLE desk.key": True,
    "DROP INDEX desk.upon": True,
    "DROP POLICY own ON desk.old": True,
    "DROP TYPE desk.kind; DROP DOMAIN desk.small": True,
    "DROP VIEW desk.w, desk.v": True,
    "DROP TRIGGER t ON desk.old; DROP FUNCTION desk.f()": True,
    "DROP TABLE desk.log": True,
    "DROP TABLE desk.log_1": True,
    "ALTER TABLE desk.old ALTER subject DROP DEFAULT": False,
    "ALTER TABLE desk.old DROP subject": False,
    "COMMENT ON INDEX desk.upon IS NULL": False,
    "REVOKE SELECT ON desk.v FROM PUBLIC": False,
    "DROP POLICY own ON desk.old; CREATE POLICY own ON desk.old USING (n > 2)": False,
    "DROP SCHEMA bare": False,
    "ALTER ROLE hk_migrator SET work_mem = '5MB'; DROP VIEW desk.w": False,
    "DROP TABLE IF EXISTS desk.nothing": False,
    "DROP TABLE desk.heir": False,
    "DROP VIEW desk.w": True,
    "DROP TABLE desk.refers": True,
    "DROP INDEX desk.identity": True,
    "DROP STATISTICS desk.s": True,
    "DROP RULE r ON desk.old": True,
    "DROP TYPE desk.pair": True,
    "DROP MATERIALIZED VIEW desk.mat": True,
    "DROP INDEX desk.on_mat": True,
}


def test_what_is_told_to_be_left_is_what_is_read(database: StagingDatabase) -> None:
    with psycopg.connect(database.superuser_conninfo, prepare_threshold=None) as connection:
        connection.execute(f"{GROUND};{MADE}".encode())
        first = read_again(connection, read_whole(connection, SCOPE), alone=True)
        found = {}
        for dropped in CASES:
            connection.execute("SAVEPOINT tried")
            start = read_again(connection, first, alone=True, put_back=BACK)
            dwindling = Dwindling(connection=connection, start=start, put_back=BACK)
            connection.execute(dropped.encode())
            taken = dwindling.next()
            now = read_again(connection, start, alone=True, put_back=BACK)
            found[dropped] = taken is not None
            if taken:
                gone, came = start.apart(now)
                assert taken.entries == {*gone.entries} - {*came.entries}, dropped
                assert {k: {*v} for k, v in dwindling.each.items() if v} == {
                    k: {*v} for k, v in now.each.items() if v
                }, dropped
                assert start.whole == now.whole, dropped
            connection.execute("ROLLBACK TO SAVEPOINT tried")

    assert found == CASES
