"""The schema of the tool's own tables, named in a SQL file: refused at its line, and only that."""

from __future__ import annotations

import pytest

from pytest_housekeeping.postgres.own_tables.tables import TABLES
from pytest_housekeeping.sql.own_schema import own_schema_problems
from pytest_housekeeping.sql.own_schema_words import OWN_TABLES


def places(text: str) -> list[tuple[int, int]]:
    found = own_schema_problems(text, schema="housekeeping", migrator="hk_migrator")
    return [(each.line, each.column) for each in found]


FUNCTION = "CREATE FUNCTION shop.f() RETURNS void LANGUAGE plpgsql AS $f$\n{}\n$f$"
NAMED = [
    "DELETE FROM housekeeping.history",
    "SELECT * FROM Housekeeping . History",
    'INSERT INTO "housekeeping"."history" (run) VALUES (1)',
    'SELECT 1 FROM U&"house\\006beeping".history',
    "UPDATE housekeeping.promotion SET run = 'x'",
    "TRUNCATE shop.item, housekeeping.history",
    "WITH gone AS (DELETE FROM housekeeping.history RETURNING 1) SELECT * FROM gone",
    "CREATE TABLE housekeeping.mine (a int)",
    "CREATE TABLE shop.t (a int REFERENCES housekeeping.history)",
    "CREATE TABLE shop.t (LIKE housekeeping.history)",
    "CREATE TABLE shop.t (a housekeeping.history)",
    "CREATE TABLE shop.t () INHERITS (housekeeping.history)",
    "CREATE VIEW shop.v AS SELECT * FROM housekeeping.history",
    "CREATE INDEX ON housekeeping.history (run)",
    "CREATE TRIGGER t AFTER INSERT ON housekeeping.history EXECUTE FUNCTION shop.f()",
    "CREATE RULE r AS ON INSERT TO housekeeping.history DO INSTEAD NOTHING",
    "CREATE POLICY p ON housekeeping.history USING (true)",
    "CREATE FUNCTION housekeeping.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE housekeeping.e AS ENUM ('a')",
    "CREATE DOMAIN housekeeping.d AS int",
    "CREATE SEQUENCE housekeeping.s",
    'CREATE COLLATION housekeeping.c FROM "C"',
    "CREATE STATISTICS housekeeping.s ON a, b FROM shop.item",
    "CREATE EXTENSION citext SCHEMA housekeeping",
    "CREATE PUBLICATION p FOR TABLES IN SCHEMA housekeeping",
    "CREATE PUBLICATION p FOR TABLE housekeeping.history",
    "CREATE SCHEMA housekeeping",
    "CREATE SCHEMA IF NOT EXISTS housekeeping AUTHORIZATION shop_app",
    "CREATE SCHEMA AUTHORIZATION housekeeping",
    "IMPORT FOREIGN SCHEMA remote FROM SERVER s INTO housekeeping",
    "ALTER SCHEMA housekeeping RENAME TO kept",
    "ALTER SCHEMA shop RENAME TO housekeeping",
    "ALTER SCHEMA housekeeping OWNER TO shop_app",
    "ALTER TABLE housekeeping.history ADD extra int",
    "ALTER TABLE housekeeping.history RENAME TO old",
    "ALTER TABLE housekeeping.history SET SCHEMA shop",
    "ALTER TABLE shop.item SET SCHEMA housekeeping",
    "ALTER SEQUENCE housekeeping.history_id_seq RESTART",
    "ALTER EXTENSION citext SET SCHEMA housekeeping",
    "DROP SCHEMA shop, housekeeping CASCADE",
    "DROP TABLE housekeeping.history",
    "DROP TRIGGER t ON housekeeping.history",
    "COMMENT ON SCHEMA housekeeping IS 'x'",
    "COMMENT ON TABLE housekeeping.history IS 'x'",
    "COMMENT ON COLUMN housekeeping.history.run IS 'x'",
    "GRANT USAGE ON SCHEMA housekeeping TO shop_app",
    "GRANT INSERT ON housekeeping.history TO shop_app",
    "GRANT ALL ON ALL TABLES IN SCHEMA shop, housekeeping TO shop_app",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA housekeeping FROM shop_app",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA housekeeping GRANT ALL ON TABLES TO shop_app",
    "SET search_path = housekeeping",
    "SET LOCAL search_path TO shop, housekeeping",
    "SET search_path = 'housekeeping'",
    "SELECT set_config('search_path', 'shop, housekeeping', true)",
    "ALTER ROLE shop_app SET search_path = housekeeping",
    "ALTER DATABASE shop SET search_path = shop, housekeeping",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = housekeeping AS 'SELECT 1'",
    "ALTER FUNCTION shop.f() SET search_path = housekeeping",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM housekeeping.history; END",
    "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM housekeeping.history'",
    FUNCTION.format("BEGIN DELETE FROM housekeeping.history; END"),
    FUNCTION.format('BEGIN DELETE FROM "housekeeping".history; END'),
    FUNCTION.format("BEGIN EXECUTE 'DELETE FROM housekeeping.history'; END"),
    FUNCTION.format("BEGIN EXECUTE format('DROP TABLE housekeeping.%I', 'history'); END"),
    FUNCTION.format("BEGIN EXECUTE 'DROP SCHEMA housekeeping CASCADE'; END"),
    FUNCTION.format("BEGIN SET search_path = shop, housekeeping; DELETE FROM history; END"),
    FUNCTION.format("BEGIN PERFORM set_config('search_path', 'housekeeping', true); END"),
    FUNCTION.format("DECLARE r housekeeping.history%ROWTYPE; BEGIN END"),
    "DO $$ BEGIN EXECUTE 'DO $x$ BEGIN DROP SCHEMA housekeeping; END $x$'; END $$",
    "DO 'BEGIN CREATE TABLE housekeeping.other (a int); END'",
    "SELECT 'housekeeping.history'::regclass",
    "SELECT nextval('housekeeping.history_id_seq')",
    "CALL shop.run('DROP TABLE housekeeping.history')",
    "COPY housekeeping.history FROM '/tmp/x'",
    "LOCK TABLE housekeeping.history",
    "SELECT housekeeping.f()",
    "DROP OWNED BY hk_migrator",
    "DROP OWNED BY CURRENT_USER CASCADE",
    "REASSIGN OWNED BY hk_migrator TO shop_app",
]
# A hotel has a table of that name, and a word in a text is no schema.
INNOCENT = [
    "CREATE TABLE hotel.housekeeping (room int)",
    "SELECT housekeeping.room FROM hotel.housekeeping",
    "SELECT h.housekeeping FROM hotel.room AS h",
    "INSERT INTO hotel.department (name) VALUES ('housekeeping')",
    "INSERT INTO hotel.note (text) VALUES ('Ask housekeeping. They know')",
    "CREATE TRIGGER t AFTER INSERT ON hotel.housekeeping EXECUTE FUNCTION hotel.f()",
    "DROP TRIGGER t ON housekeeping",
    "COMMENT ON COLUMN housekeeping.room IS 'x'",
    "GRANT SELECT ON hotel.housekeeping TO shop_app",
    FUNCTION.format("BEGIN UPDATE hotel.housekeeping SET room = housekeeping.room; END"),
    "CREATE ROLE housekeeping",
    "COMMENT ON TABLE hotel.room IS 'see housekeeping.'",
    "DROP OWNED BY shop_app",
    "SELECT 1 -- housekeeping.history is not touched",
]


@pytest.mark.parametrize("statement", NAMED)
def test_a_statement_that_names_it_is_refused_at_its_line(statement: str) -> None:
    found = places(f"CREATE TABLE shop.a (b int);\n\n{statement};\nSELECT 1;")
    assert len(found) == 1, found
    assert found[0][0] >= 3


@pytest.mark.parametrize("statement", INNOCENT)
def test_the_word_alone_is_not_refused(statement: str) -> None:
    assert places(f"{statement};") == []


def test_the_place_is_that_of_the_name() -> None:
    assert places("SELECT 1;\nSELECT *\n  FROM housekeeping.history;") == [(3, 8)]


def test_a_comment_alone_may_name_it() -> None:
    assert places("-- as housekeeping.history has it\n") == []


def test_another_schema_may_be_the_tools_own() -> None:
    text = "DELETE FROM housekeeping.history; DELETE FROM hk.history"
    found = list(own_schema_problems(text, schema="hk", migrator="m"))
    assert [(each.line, each.column) for each in found] == [(1, 47)]
    assert "schema hk is named" in found[0].found


def test_the_words_know_every_table() -> None:
    assert tuple(TABLES) == OWN_TABLES
