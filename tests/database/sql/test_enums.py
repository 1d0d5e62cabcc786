"""A value of an enum used in the transaction that adds it: refused here if the server refuses it.

The server is the oracle: each text runs on it, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.enums import EnumReader
from support.lent_database import LentDatabase

SETUP = """
CREATE SCHEMA shop;
CREATE SCHEMA other;
CREATE TYPE shop.state AS ENUM ('new', 'paid');
CREATE TYPE shop.color AS ENUM ('red', 'sold');
CREATE TYPE other.state AS ENUM ('sold');
CREATE DOMAIN shop.held AS shop.state;
CREATE TYPE shop.pair AS (state shop.state, note text);
CREATE TABLE shop.item (
    id int PRIMARY KEY, state shop.state DEFAULT 'new', note text, color shop.color,
    states shop.state[], held shop.held, pair shop.pair
);
CREATE TABLE shop.far (id int, state other.state);
CREATE TABLE shop.parts (state shop.state) PARTITION BY LIST (state);
CREATE VIEW shop.seen AS SELECT id, state AS how, note FROM shop.item;
CREATE FUNCTION shop.take(s shop.state, note text DEFAULT '') RETURNS shop.state
    LANGUAGE sql IMMUTABLE AS 'SELECT s';
CREATE FUNCTION shop.loose(s text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT s';
CREATE FUNCTION shop.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
INSERT INTO shop.item (id, state, note) VALUES (1, 'new', 'red');
"""
ADD = "ALTER TYPE shop.state ADD VALUE 'sold';\n"

USES = [
    "INSERT INTO shop.item (id, state) VALUES (2, 'sold')",
    "INSERT INTO shop.item VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, state) VALUES (2, 'new'), (3, 'sold')",
    "INSERT INTO shop.item (id, state) SELECT 2, 'sold'",
    "INSERT INTO shop.item (id, states) VALUES (2, '{new,sold}')",
    "INSERT INTO shop.item (id, states) VALUES (2, ARRAY['new', 'sold']::shop.state[])",
    "INSERT INTO shop.item (id, states[1]) VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, held) VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, pair.state) VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, pair) VALUES (2, ROW('sold', 'x'))",
    "INSERT INTO shop.item (id, pair) VALUES (2, NULL), (3, ROW('sold', 'x'))",
    "INSERT INTO shop.item (id, pair) VALUES (2, ROW('new', 'y')), (3, ROW('sold', 'x'))",
    "INSERT INTO shop.item (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET state = 'sold'",
    "INSERT INTO shop.item (id) VALUES (2) RETURNING state = 'sold'",
    "UPDATE shop.item SET state = 'sold'",
    "UPDATE shop.item SET (note, state) = ('x', 'sold')",
    "UPDATE shop.item SET state = CASE WHEN id = 1 THEN 'sold' ELSE 'new' END::shop.state",
    "UPDATE shop.item SET state = coalesce(state, 'sold')",
    "DELETE FROM shop.item AS i WHERE i.state = 'sold'",
    (
        "MERGE INTO shop.item AS i USING shop.far AS f ON i.id = f.id"
        " WHEN MATCHED THEN UPDATE SET state = 'sold'"
    ),
    (
        "MERGE INTO shop.item AS i USING shop.far AS f ON i.id = f.id"
        " WHEN NOT MATCHED THEN INSERT (id, state) VALUES (1, 'sold')"
    ),
    "SELECT 'sold'::shop.state",
    "SELECT CAST('sold' AS shop.held)",
    "SELECT shop.state 'sold'",
    "SELECT '{sold}'::shop.state[]",
    "SELECT FROM shop.item WHERE state IN ('new', 'sold')",
    "SELECT FROM shop.item WHERE state = ANY ('{new,sold}')",
    "SELECT FROM shop.item WHERE 'sold' = ANY (states)",
    "SELECT FROM shop.item WHERE 'sold' = state",
    "SELECT FROM shop.item WHERE state BETWEEN 'new' AND 'sold'",
    "SELECT FROM shop.item WHERE state IS DISTINCT FROM 'sold'",
    "SELECT FROM shop.item WHERE (id, state) = (1, 'sold')",
    "SELECT FROM shop.item WHERE states @> '{sold}'",
    "SELECT FROM shop.item WHERE states[1] = 'sold'",
    "SELECT FROM shop.item WHERE (pair).state = 'sold'",
    "SELECT CASE state WHEN 'sold' THEN 1 END FROM shop.item",
    "SELECT nullif(state, 'sold'), greatest(state, 'new') FROM shop.item",
    "SELECT state FROM shop.item UNION SELECT 'sold'",
    "SELECT FROM shop.seen WHERE how = 'sold'",
    "SELECT FROM (SELECT state AS s FROM shop.item) AS q WHERE q.s = 'sold'",
    "WITH q AS (SELECT * FROM shop.item) SELECT FROM q WHERE state = 'sold'",
    "SELECT FROM shop.item JOIN shop.far USING (id) WHERE item.state = 'sold'",
    "SELECT FROM shop.far AS f LEFT JOIN shop.item AS i ON i.state = 'sold'",
    "SELECT (SELECT max(state) FROM shop.item) = 'sold'",
    "SELECT FROM shop.item AS i WHERE EXISTS (SELECT FROM shop.far WHERE i.state = 'sold')",
    "SELECT shop.take('sold')",
    "SELECT shop.take(note => 'x', s => 'sold')",
    "SELECT shop.take('new') = 'sold'",
    "SELECT array_append(states, 'sold') FROM shop.item",
    "SELECT enum_range(NULL::shop.state)",
    "SELECT enum_last(NULL::shop.state)",
    "CREATE TABLE shop.b (state shop.state DEFAULT 'sold')",
    "CREATE TABLE shop.b (state shop.state CHECK (state <> 'sold'))",
    "CREATE TABLE shop.b (LIKE shop.item, CHECK (state <> 'sold'))",
    "CREATE TABLE shop.b (CHECK (state <> 'sold')) INHERITS (shop.item)",
    "CREATE TABLE shop.b (state shop.state, x bool GENERATED ALWAYS AS (state = 'sold') STORED)",
    "CREATE TABLE shop.b PARTITION OF shop.parts FOR VALUES IN ('sold')",
    (
        "CREATE TABLE shop.b (state shop.state);"
        " ALTER TABLE shop.parts ATTACH PARTITION shop.b FOR VALUES IN ('sold')"
    ),
    "CREATE TABLE shop.b AS SELECT state FROM shop.item; SELECT FROM shop.b WHERE state = 'sold'",
    "ALTER TABLE shop.item ALTER COLUMN state SET DEFAULT 'sold'",
    "ALTER TABLE shop.item ADD COLUMN more shop.state DEFAULT 'sold'",
    "ALTER TABLE shop.item ADD CHECK (state <> 'sold')",
    "ALTER TABLE shop.item ALTER COLUMN note TYPE shop.state USING 'sold'",
    "ALTER TABLE shop.item RENAME COLUMN state TO s; UPDATE shop.item SET s = 'sold'",
    "ALTER TABLE shop.item RENAME TO things; UPDATE shop.things SET state = 'sold'",
    "ALTER TYPE shop.state RENAME TO st; SELECT 'sold'::shop.st",
    "ALTER TYPE shop.state SET SCHEMA other2; SELECT 'sold'::other2.state",
    "ALTER TYPE shop.state RENAME VALUE 'sold' TO 'gone'; SELECT 'gone'::shop.state",
    "ALTER SCHEMA shop RENAME TO store; SELECT 'sold'::store.state",
    "SET LOCAL search_path = shop; SELECT 'sold'::state",
    "CREATE INDEX ON shop.item (id) WHERE state = 'sold'",
    "CREATE INDEX ON shop.item ((state = 'sold'))",
    "CREATE VIEW shop.v AS SELECT FROM shop.item WHERE state = 'sold'",
    "CREATE MATERIALIZED VIEW shop.v AS SELECT id FROM shop.item WHERE state = 'sold'",
    "CREATE POLICY p ON shop.item USING (state <> 'sold')",
    "CREATE POLICY p ON shop.item; ALTER POLICY p ON shop.item WITH CHECK (state <> 'sold')",
    (
        "CREATE TRIGGER t BEFORE UPDATE ON shop.item FOR EACH ROW"
        " WHEN (NEW.state = 'sold') EXECUTE FUNCTION shop.noted()"
    ),
    "CREATE RULE r AS ON UPDATE TO shop.item WHERE NEW.state = 'sold' DO ALSO NOTHING",
    "CREATE RULE r AS ON DELETE TO shop.far DO ALSO UPDATE shop.item SET state = 'sold'",
    "CREATE DOMAIN shop.d AS shop.state CHECK (VALUE <> 'sold')",
    "CREATE DOMAIN shop.d AS shop.state DEFAULT 'sold'",
    "ALTER DOMAIN shop.held ADD CHECK (VALUE <> 'sold')",
    "ALTER DOMAIN shop.held SET DEFAULT 'sold'",
    "CREATE FUNCTION shop.f(s shop.state DEFAULT 'sold') RETURNS int LANGUAGE sql AS 'SELECT 1'",
    (
        "CREATE FUNCTION shop.f() RETURNS bigint LANGUAGE sql"
        " AS $$ SELECT count(*) FROM shop.item WHERE state = 'sold' $$"
    ),
    "CREATE FUNCTION shop.f(s shop.state) RETURNS bool LANGUAGE sql AS $$ SELECT s = 'sold' $$",
    "CREATE FUNCTION shop.f(shop.state) RETURNS bool LANGUAGE sql AS $$ SELECT $1 = 'sold' $$",
    "CREATE FUNCTION shop.f(s shop.state) RETURNS bool RETURN s = 'sold'",
    "CREATE FUNCTION shop.f() RETURNS bool BEGIN ATOMIC SELECT state = 'sold' FROM shop.item; END",
    "PREPARE p (shop.state) AS SELECT $1 = 'sold'",
    "EXPLAIN SELECT FROM shop.item WHERE state = 'sold'",
    "SAVEPOINT s; UPDATE shop.item SET state = 'sold'",
]
OTHERS = [
    "INSERT INTO shop.item (id, note) VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, color) VALUES (2, 'sold')",
    "INSERT INTO shop.item (id, note, state) VALUES (2, 'sold', 'paid')",
    "INSERT INTO shop.far (state) VALUES ('sold')",
    "INSERT INTO shop.item (id, pair) VALUES (2, ROW('new', 'sold'))",
    "UPDATE shop.item SET note = 'sold', state = 'paid' WHERE note <> 'sold'",
    "SELECT 'sold'",
    "SELECT 'sold'::text",
    "SELECT 'sold'::other.state",
    "SELECT FROM shop.item WHERE state::text = 'sold'",
    "SELECT FROM shop.item WHERE note IN ('sold') AND state = 'new'",
    "SELECT FROM shop.seen WHERE note = 'sold'",
    "SELECT FROM shop.far WHERE state = 'sold'",
    "SELECT shop.take('new', 'sold'), shop.loose('sold')",
    "SELECT state = 'new', CASE state WHEN 'new' THEN 'sold' ELSE 'x' END FROM shop.item",
    "SELECT count(*) FILTER (WHERE note = 'sold') FROM shop.item",
    "SELECT enum_first(NULL::shop.state), enum_range(NULL::shop.color)",
    "SET LOCAL search_path = other; SELECT 'sold'::state",
    "CREATE VIEW shop.v AS SELECT 'sold' AS state FROM shop.item WHERE note = 'sold'",
    "CREATE TABLE shop.b (state text DEFAULT 'sold', color shop.color DEFAULT 'sold')",
    "CREATE FUNCTION shop.f() RETURNS text LANGUAGE sql AS $$ SELECT 'sold' $$",
    (
        "CREATE FUNCTION shop.f() RETURNS void LANGUAGE plpgsql"
        " AS $$ BEGIN UPDATE shop.item SET state = 'sold'; END $$"
    ),
    "COMMENT ON TABLE shop.item IS 'sold'",
    "DO $$ BEGIN RAISE NOTICE 'sold'; END $$",
    "DO $$ BEGIN IF false THEN UPDATE shop.item SET state = 'sold'; END IF; END $$",
    "ALTER TYPE shop.state RENAME VALUE 'new' TO 'fresh'; SELECT 'fresh'::shop.state",
    "ALTER TYPE shop.state ADD VALUE IF NOT EXISTS 'paid'; SELECT 'paid'::shop.state",
    (
        "DROP VIEW shop.seen; DROP TABLE shop.item; CREATE TABLE shop.item (state text);"
        " INSERT INTO shop.item VALUES ('sold')"
    ),
    "ALTER TABLE shop.item ADD COLUMN kind text; UPDATE shop.item SET kind = 'sold'",
    "ALTER TABLE shop.far ALTER COLUMN state TYPE text; UPDATE shop.far SET state = 'sold'",
    "CREATE TYPE shop.fresh AS ENUM ('sold'); SELECT 'sold'::shop.fresh",
]
# On 15 and 16 it counts for nothing that the type is new as well.
NEW_TYPE = [
    "CREATE TYPE shop.n AS ENUM ('a'); ALTER TYPE shop.n ADD VALUE 'b'; SELECT 'b'::shop.n",
    (
        "CREATE TYPE shop.n AS ENUM ('a'); ALTER TYPE shop.n RENAME TO m;"
        " ALTER TYPE shop.m ADD VALUE 'b'; SELECT 'b'::shop.m"
    ),
    (
        "CREATE TYPE shop.n AS ENUM ('a'); SAVEPOINT s; ALTER TYPE shop.n ADD VALUE 'b';"
        " RELEASE s; CREATE TABLE shop.b (n shop.n DEFAULT 'b')"
    ),
    (
        "SAVEPOINT s; CREATE TYPE shop.n AS ENUM ('a'); RELEASE s;"
        " ALTER TYPE shop.n ADD VALUE 'b'; SELECT 'b'::shop.n"
    ),
]


@pytest.fixture(scope="module")
def committed(lent: LentDatabase) -> Iterator[Connection]:
    """A connection to a database in which the setup is committed."""
    with (
        lent.lend() as database,
        psycopg.connect(database.superuser_conninfo, autocommit=True) as opened,
    ):
        opened.execute(SETUP)
        opened.execute("CREATE SCHEMA other2")
        yield opened


def refused_by_server(connection: Connection, text: str) -> bool:
    """Whether the server refuses the text in one transaction, and for this reason."""
    connection.execute("BEGIN")
    try:
        connection.execute(text)
    except psycopg.errors.UnsafeNewEnumValueUsage:
        return True
    finally:
        connection.execute("ROLLBACK")
    return False


def refused_here(text: str, *, major: int) -> bool:
    reader = EnumReader(server_version=major)
    assert list(reader.read("setup.sql", SETUP)) == []
    reader.committed()
    return list(reader.read("a.sql", text)) != []


@pytest.mark.parametrize("text", [*USES, *OTHERS, *NEW_TYPE])
def test_refused_here_if_the_server_refuses_it(committed: Connection, text: str) -> None:
    text = text if text in NEW_TYPE else ADD + text
    major = committed.info.server_version // 10000
    expected = refused_by_server(committed, text)
    assert refused_here(text, major=major) is expected


def test_each_list_is_what_it_says(committed: Connection) -> None:
    """The oracle is asked for both answers."""
    assert all(refused_by_server(committed, ADD + text) for text in USES)
    assert not any(refused_by_server(committed, ADD + text) for text in OTHERS)
    old = committed.info.server_version < 170000
    assert {refused_by_server(committed, text) for text in NEW_TYPE} == {old}
