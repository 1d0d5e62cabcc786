"""Many questions at a time are answered as each alone, and tables without pages are empty."""

from __future__ import annotations

import psycopg

from pytest_housekeeping.checks.rls.pages import tables_without_pages
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.server import StagingDatabase

GROUND = """
CREATE ROLE hk_asks; GRANT hk_asks TO hk_migrator;
CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO hk_asks;
CREATE TABLE shop.item (id int); INSERT INTO shop.item VALUES (1), (2);
ALTER TABLE shop.item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.item USING (id = nullif(current_setting('app.me', true), '')::int);
ALTER TABLE shop.item OWNER TO hk_migrator;
CREATE TABLE shop.none (id int); ALTER TABLE shop.none OWNER TO hk_migrator;
CREATE TABLE shop.gone (id int); INSERT INTO shop.gone VALUES (1); DELETE FROM shop.gone;
CREATE TABLE shop.parted (id int) PARTITION BY LIST (id);
CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES IN (1);
CREATE TABLE shop.parent (id int); CREATE TABLE shop.child () INHERITS (shop.parent);
INSERT INTO shop.child VALUES (1)"""
EVERY = "SELECT pg_catalog.jsonb_agg(id ORDER BY id) FROM shop.item"


def test_many_at_a_time_are_answered_as_each_alone(database: StagingDatabase) -> None:
    grant = "GRANT SELECT ON shop.item TO hk_asks;"
    attempts = [
        *(
            Attempt(statement=EVERY, role="hk_asks", settings=(("app.me", me),), setup=grant)
            for me in ("1", "", "2", "nobody", "1")
        ),
        Attempt(statement=EVERY, role="hk_asks", settings=(("app.me", "1"),)),
        Attempt(statement="SELECT EXISTS (SELECT FROM shop.none)"),
        Attempt(statement="SELECT 1 / 0"),
        Attempt(statement=EVERY, setup="ALTER TABLE shop.item NO FORCE ROW LEVEL SECURITY;"),
    ]
    with psycopg.connect(database.superuser_conninfo) as connection:
        connection.execute(GROUND)
        # A superuser is not bound by policies, an owner is.
        connection.execute("GRANT ALL ON SCHEMA shop TO hk_migrator; SET ROLE hk_migrator")
        alone = attempt_all(connection, attempts)
        found = attempt_together(connection, attempts)
        connection.rollback()

    assert found == alone
    assert [each.value for each in found[:3]] == [[1], None, [2]]
    assert [each.sqlstate for each in found[3:8]] == ["22P02", "", "42501", "", "22012"]


def test_tables_without_pages_hold_nothing(database: StagingDatabase) -> None:
    with psycopg.connect(database.superuser_conninfo) as connection:
        connection.execute(GROUND)
        found = tables_without_pages(connection)
        connection.rollback()

    assert {name for schema, name in found if schema == "shop"} == {"none", "parted_1"}
