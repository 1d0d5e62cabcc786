"""What is told of running code is what happens to it: each statement is really executed as well.

Many batches, many statements: before and after the batch each of them is prepared and executed on
rows, as the application's role. It is broken if that is refused then for what it says, lacks a
required column if a row is refused for that, and has another shape if a client sees one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.server import StagingDatabase
from support.running_ground import Ground, applied, running_ground

ROWS = """
INSERT INTO shop.customer VALUES (1, 'a', 'Ada', 'x'), (2, 'b', NULL, NULL);
INSERT INTO shop.orders (customer, total, channel) VALUES (1, 3.5, 'web'), (2, 4, NULL);
INSERT INTO shop.archive VALUES (9, 'z', 'Zoe', 'y');
CREATE TYPE shop.state AS ENUM ('open', 'paid');
ALTER TABLE shop.orders ADD COLUMN state shop.state DEFAULT 'open';
CREATE SEQUENCE shop.numbers; GRANT USAGE ON SEQUENCE shop.numbers TO shop_app;
CREATE FUNCTION shop.names() RETURNS SETOF shop.customer LANGUAGE sql STABLE
    AS 'SELECT * FROM shop.customer';
"""
# A statement, and what its parameters are when it is executed.
STATEMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("SELECT id FROM shop.customer", ()),
    ("SELECT name FROM shop.customer WHERE id = $1", ("1",)),
    ("SELECT * FROM shop.customer", ()),
    ("SELECT c FROM shop.customer c", ()),
    ("SELECT c.*, o.total FROM shop.customer c JOIN shop.orders o ON o.customer = c.id", ()),
    ("SELECT count(*) FROM shop.orders WHERE channel = $1", ("web",)),
    ("SELECT note || name FROM shop.customer", ()),
    ("SELECT email FROM shop.customer_name WHERE name IS NOT NULL", ()),
    ("SELECT * FROM shop.customer_name", ()),
    ("SELECT shop.price($1)", ("3",)),
    ("SELECT shop.price(id) FROM shop.orders", ()),
    ("SELECT * FROM shop.names()", ()),
    ("SELECT name FROM shop.names()", ()),
    ("SELECT nextval('shop.numbers')", ()),
    ("SELECT id FROM shop.orders WHERE state = 'paid'", ()),
    ("SELECT state FROM shop.orders", ()),
    ("SELECT total + 1 FROM shop.orders", ()),
    ("SELECT id FROM shop.orders WHERE customer = 1", ()),
    ("INSERT INTO shop.customer (id, email) VALUES ($1, $2)", ("7", "q")),
    ("INSERT INTO shop.customer VALUES ($1, $2, $3, $4)", ("7", "q", "n", "o")),
    ("INSERT INTO shop.customer (id, email) VALUES (1, 'a') ON CONFLICT (email) DO NOTHING", ()),
    (
        (
            "INSERT INTO shop.customer (id, email) VALUES (1, 'r')"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.email"
        ),
        (),
    ),
    (
        (
            "INSERT INTO shop.customer (id, email) VALUES (8, 'a')"
            " ON CONFLICT ON CONSTRAINT customer_email_key DO NOTHING"
        ),
        (),
    ),
    ("INSERT INTO shop.customer (id, email) VALUES (7, 'q') RETURNING *", ()),
    ("INSERT INTO shop.orders (customer, total) VALUES ($1, $2) RETURNING id", ("1", "5")),
    ("INSERT INTO shop.orders (customer, state) SELECT id, 'paid' FROM shop.customer", ()),
    ("INSERT INTO shop.archive SELECT * FROM shop.customer", ()),
    ("INSERT INTO shop.archive (id, email) SELECT id, email FROM shop.customer", ()),
    (
        (
            "WITH gone AS (DELETE FROM shop.orders RETURNING customer)"
            " INSERT INTO shop.archive (id, email) SELECT customer, 'x' FROM gone"
        ),
        (),
    ),
    ("UPDATE shop.customer SET name = $1 WHERE id = $2", ("n", "1")),
    ("UPDATE shop.orders SET total = total * 2, state = 'paid'", ()),
    ("UPDATE shop.orders SET channel = 'x' WHERE id = $1 RETURNING *", ("1",)),
    ("DELETE FROM shop.orders WHERE channel IS NULL", ()),
    ("DELETE FROM shop.archive", ()),
    (
        (
            "MERGE INTO shop.archive a USING shop.customer c ON a.id = c.id"
            " WHEN NOT MATCHED THEN INSERT (id, email) VALUES (c.id, c.email)"
        ),
        (),
    ),
)
DROP_VIEW = "DROP VIEW shop.customer_name;"
BATCHES = (
    "SELECT 1",
    "ALTER TABLE shop.customer DROP COLUMN name CASCADE",
    "ALTER TABLE shop.customer DROP COLUMN note",
    "ALTER TABLE shop.customer RENAME COLUMN name TO full_name",
    "ALTER TABLE shop.customer RENAME COLUMN email TO mail",
    "ALTER TABLE shop.customer RENAME TO person",
    (
        "ALTER TABLE shop.customer RENAME TO person; CREATE VIEW shop.customer AS"
        " SELECT * FROM shop.person; GRANT ALL ON shop.customer TO shop_app"
    ),
    "ALTER TABLE shop.customer ADD COLUMN country text",
    "ALTER TABLE shop.customer ADD COLUMN country text DEFAULT 'AT'",
    "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL DEFAULT 'AT'",
    (
        "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL DEFAULT 'AT';"
        " ALTER TABLE shop.customer ALTER country DROP DEFAULT"
    ),
    "UPDATE shop.customer SET name = 'n'; ALTER TABLE shop.customer ALTER name SET NOT NULL",
    (
        "UPDATE shop.customer SET note = 'n'; ALTER TABLE shop.customer ALTER note SET NOT NULL;"
        " ALTER TABLE shop.customer ALTER note SET DEFAULT 'x'"
    ),
    "ALTER TABLE shop.customer ALTER email DROP NOT NULL",
    "ALTER TABLE shop.customer ALTER note TYPE text",
    "ALTER TABLE shop.customer ALTER note TYPE varchar(20)",
    "ALTER TABLE shop.orders ALTER id TYPE bigint",
    "ALTER TABLE shop.orders ALTER total TYPE numeric(12, 2)",
    "ALTER TABLE shop.orders ALTER total TYPE text",
    (
        "ALTER TABLE shop.orders DROP CONSTRAINT orders_customer_fkey;"
        " ALTER TABLE shop.orders ALTER customer TYPE text"
    ),
    "ALTER TABLE shop.orders DROP COLUMN channel",
    "ALTER TABLE shop.orders DROP COLUMN state",
    "ALTER TABLE shop.orders ALTER state DROP DEFAULT",
    (
        "UPDATE shop.orders SET state = 'paid'; ALTER TABLE shop.orders ALTER state SET NOT NULL,"
        " ALTER state DROP DEFAULT"
    ),
    "ALTER TABLE shop.orders ALTER id DROP IDENTITY",
    "ALTER TABLE shop.orders ALTER id SET GENERATED BY DEFAULT",
    "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key",
    "ALTER TABLE shop.customer RENAME CONSTRAINT customer_email_key TO mail_key",
    (
        "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key;"
        " CREATE UNIQUE INDEX ON shop.customer (email)"
    ),
    (
        "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key;"
        " CREATE UNIQUE INDEX ON shop.customer (email) WHERE id > 0"
    ),
    (
        "ALTER TABLE shop.orders DROP CONSTRAINT orders_customer_fkey;"
        " ALTER TABLE shop.customer DROP CONSTRAINT customer_pkey"
    ),
    "DROP VIEW shop.customer_name",
    DROP_VIEW + " CREATE VIEW shop.customer_name AS SELECT id, email FROM shop.customer;"
    " GRANT ALL ON shop.customer_name TO shop_app",
    DROP_VIEW + " CREATE VIEW shop.customer_name AS SELECT name, id, email FROM shop.customer;"
    " GRANT ALL ON shop.customer_name TO shop_app",
    "DROP FUNCTION shop.price(integer)",
    (
        "DROP FUNCTION shop.price(integer); CREATE FUNCTION shop.price(amount bigint)"
        " RETURNS bigint LANGUAGE sql AS 'SELECT amount'"
    ),
    (
        "DROP FUNCTION shop.price(integer); CREATE FUNCTION shop.price(amount integer, tax integer"
        " DEFAULT 0) RETURNS integer LANGUAGE sql AS 'SELECT amount + tax'"
    ),
    "ALTER FUNCTION shop.price(integer) RENAME TO cost",
    "ALTER TYPE shop.state RENAME VALUE 'paid' TO 'settled'",
    "ALTER TYPE shop.state RENAME TO order_state",
    "ALTER SEQUENCE shop.numbers RENAME TO counter",
    "ALTER SCHEMA shop RENAME TO store",
    "ALTER TABLE shop.archive SET SCHEMA public",
    "ALTER TABLE shop.archive ADD COLUMN since date",
    "ALTER TABLE shop.archive DROP COLUMN note",
    (
        "ALTER TABLE shop.archive ADD COLUMN since date NOT NULL DEFAULT now();"
        " ALTER TABLE shop.archive ALTER since DROP DEFAULT"
    ),
    "REVOKE SELECT ON shop.customer FROM shop_app",
    "REVOKE INSERT ON shop.customer FROM shop_app",
    "REVOKE UPDATE ON shop.orders FROM shop_app; GRANT UPDATE (channel) ON shop.orders TO shop_app",
    "REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM shop_app",
    "REVOKE USAGE ON SCHEMA shop FROM shop_app",
    "REVOKE EXECUTE ON FUNCTION shop.price(integer) FROM PUBLIC",
)
_NOT_NULL = "23502"
# What a statement is refused for because of what it says, or because of who sends it.
_REFUSED = ("42", "3F", "22P02")


@dataclass(frozen=True, kw_only=True)
class Happened:
    """What came of a statement: refused why, and what a client sees of it."""

    sqlstate: str = ""
    shape: tuple[object, ...] = ()


@pytest.fixture
def ground(database: StagingDatabase, tmp_path: Path) -> Iterator[Ground]:
    with running_ground(database, tmp_path) as found:
        found.connection.execute(ROWS)
        yield found


def execute(connection: Connection, text: str, given: tuple[str, ...]) -> Happened:
    values = ", ".join(f"'{value}'" for value in given)
    with as_role(connection, "shop_app"):
        connection.execute("SET LOCAL search_path = '$user', public")
        try:
            with rolled_back(connection):
                connection.execute(f"PREPARE p AS {text}".encode())
                types = connection.execute(
                    "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'p'"
                ).fetchone()
                done = connection.execute(f"EXECUTE p{f'({values})' * bool(given)}".encode())
                seen = _columns(done)
                whole = _attributes(connection, [code for _, code, _ in seen])
            return Happened(shape=(types, *seen, whole))
        except psycopg.Error as error:
            return Happened(sqlstate=error.sqlstate or "?")
        finally:
            connection.execute("DEALLOCATE ALL")


def _columns(done: psycopg.Cursor[Any]) -> list[tuple[bytes | None, int, int]]:
    result = done.pgresult
    assert result is not None
    fields = range(result.nfields)
    return [(result.fname(n), result.ftype(n), result.fmod(n)) for n in fields]


def _attributes(connection: Connection, types: list[int]) -> object:
    """The columns of row types, which are what a client gets as well."""
    return connection.execute(
        "SELECT a.attname, a.atttypid, a.atttypmod FROM pg_type t JOIN pg_attribute a"
        " ON a.attrelid = t.typrelid WHERE t.oid = ANY (%s) AND a.attnum > 0"
        " AND NOT a.attisdropped ORDER BY a.attnum",
        (types,),
    ).fetchall()


def expected(before: Happened, after: Happened) -> set[str]:
    if after.sqlstate.startswith(_REFUSED):
        return {"running-broken"}
    if after.sqlstate == _NOT_NULL:
        return {"running-required"}
    assert not after.sqlstate, after
    return {"running-row"} if before.shape != after.shape else set()


def test_what_is_told_is_what_happens(ground: Ground) -> None:
    """And of every batch, of every statement: nothing more, nothing less."""
    assert len(BATCHES) * len(STATEMENTS) > 1500
    code = {f"app/s{number:02}.sql": f"{text};\n" for number, (text, _) in enumerate(STATEMENTS)}
    connection = ground.connection
    with applied(connection, ""):
        before = [execute(connection, text, given) for text, given in STATEMENTS]
    assert [each.sqlstate for each in before] == [""] * len(STATEMENTS)
    wrong = []
    seen: set[str] = set()
    for batch in BATCHES:
        with applied(connection, batch):
            after = [execute(connection, text, given) for text, given in STATEMENTS]
        verdict = ground.verdict(code, batch)
        for number, (text, _) in enumerate(STATEMENTS):
            told = {
                each.rule
                for each in verdict.findings
                if each.object.startswith(f"app/s{number:02}.sql:")
            }
            happens = expected(before[number], after[number])
            # A column that is left out is told besides the shape, which nobody gets to see then.
            if told != happens and told - {"running-row"} != happens:
                wrong.append((batch, text, told, after[number]))
            seen |= happens
    assert wrong == [], wrong[0]
    assert seen == {"running-broken", "running-required", "running-row"}
