"""Code that runs, on the schema that a batch makes: each kind of statement, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.server import StagingDatabase
from support.running_ground import Ground, running_ground

ERROR, WARNING = Level.ERROR, Level.WARNING


@pytest.fixture
def ground(database: StagingDatabase, tmp_path: Path) -> Iterator[Ground]:
    with running_ground(database, tmp_path) as found:
        yield found


# Statement, batch, and what is said: rule, level, the object behind the place, words of the detail
CASES = {
    "dropped column": (
        "SELECT name FROM shop.customer",
        "ALTER TABLE shop.customer DROP COLUMN name CASCADE",
        ("running-broken", ERROR, "name", 'column "name" does not exist'),
    ),
    "renamed column": (
        "UPDATE shop.orders SET channel = %s WHERE id = %s",
        "ALTER TABLE shop.orders RENAME COLUMN channel TO source",
        ("running-broken", ERROR, "channel", 'column "channel" of relation "orders" does not'),
    ),
    "renamed table": (
        "DELETE FROM shop.orders WHERE id = %(id)s",
        "ALTER TABLE shop.orders RENAME TO sale",
        ("running-broken", ERROR, "shop.orders", 'relation "shop.orders" does not exist'),
    ),
    "changed type": (
        "SELECT id FROM shop.orders WHERE customer = 5",
        (
            "ALTER TABLE shop.orders DROP CONSTRAINT orders_customer_fkey;"
            " ALTER TABLE shop.orders ALTER customer TYPE text"
        ),
        ("running-broken", ERROR, "statement", "operator does not exist: text = integer"),
    ),
    "dropped function": (
        "SELECT shop.price(%s)",
        "DROP FUNCTION shop.price(integer)",
        ("running-broken", ERROR, "shop.price", "does not exist"),
    ),
    "dropped procedure": (
        "CALL shop.tidy(%s)",
        "DROP PROCEDURE shop.tidy(integer)",
        ("running-broken", ERROR, "shop.tidy", "does not exist"),
    ),
    "new required column": (
        "INSERT INTO shop.customer (id, email) VALUES (%s, %s)",
        "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL",
        ("running-required", ERROR, "shop.customer.country", "it writes no country"),
    ),
    "column that becomes required": (
        "INSERT INTO shop.customer (id, email) SELECT id, channel FROM shop.orders",
        "ALTER TABLE shop.customer ALTER name SET NOT NULL",
        ("running-required", ERROR, "shop.customer.name", "it writes no name"),
    ),
    "default that goes": (
        "INSERT INTO shop.orders (customer) VALUES (1), (2)",
        "ALTER TABLE shop.orders ALTER id DROP IDENTITY",
        ("running-required", ERROR, "shop.orders.id", "it writes no id"),
    ),
    "required column behind a view": (
        "INSERT INTO shop.customer_name (id, email) VALUES (1, 'a')",
        "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL",
        ("running-required", ERROR, "shop.customer.country", "it writes no country"),
    ),
    "required by its domain": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        "CREATE DOMAIN shop.code AS text NOT NULL; ALTER TABLE shop.customer ADD c shop.code",
        ("running-required", ERROR, "shop.customer.c", "it writes no c"),
    ),
    "a parameter of a domain": (
        "INSERT INTO shop.coded (code) VALUES (%s)",
        "ALTER TABLE shop.coded ADD COLUMN country text NOT NULL",
        ("running-required", ERROR, "shop.coded.country", "it writes no country"),
    ),
    "required and filled by a trigger": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        (
            "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL;"
            " CREATE FUNCTION shop.fill() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END';"
            " CREATE TRIGGER fill BEFORE INSERT ON shop.customer FOR EACH ROW"
            " EXECUTE FUNCTION shop.fill()"
        ),
        ("running-required", WARNING, "shop.customer.country", "a BEFORE trigger of the table may"),
    ),
    "required column of a merge": (
        (
            "MERGE INTO shop.customer c USING shop.orders o ON c.id = o.customer"
            " WHEN NOT MATCHED THEN INSERT (id, email) VALUES (o.customer, o.channel)"
        ),
        "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL",
        ("running-required", ERROR, "shop.customer.country", "it writes no country"),
    ),
    "required column of a copy": (
        "COPY shop.customer (id, email) FROM STDIN",
        "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL",
        ("running-required", ERROR, "shop.customer.country", "it writes no country"),
    ),
    "copy by position": (
        "COPY shop.customer FROM STDIN",
        "ALTER TABLE shop.customer ADD COLUMN country text",
        ("running-row", ERROR, "statement", "with country text"),
    ),
    "copy of a column": (
        "COPY shop.customer (id, name) TO STDOUT",
        "ALTER TABLE shop.customer DROP COLUMN name CASCADE",
        ("running-broken", ERROR, "name", 'column "name" does not exist'),
    ),
    "copy of a query": (
        "COPY (SELECT name FROM shop.customer) TO STDOUT",
        "ALTER TABLE shop.customer DROP COLUMN name CASCADE",
        ("running-broken", ERROR, "name", 'column "name" does not exist'),
    ),
    "lost unique index": (
        "INSERT INTO shop.customer (id, email) VALUES (%s, %s) ON CONFLICT (email) DO NOTHING",
        "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key",
        ("running-broken", ERROR, "statement", "no unique or exclusion constraint matching"),
    ),
    "lost constraint by name": (
        (
            "INSERT INTO shop.customer (id, email) VALUES (1, 'a')"
            " ON CONFLICT ON CONSTRAINT customer_email_key DO NOTHING"
        ),
        "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key",
        ("running-broken", ERROR, "statement", 'constraint "customer_email_key" for table'),
    ),
    "row type": (
        "SELECT * FROM shop.customer",
        "ALTER TABLE shop.customer ADD COLUMN country text",
        ("running-row", WARNING, "statement", "columns with country text"),
    ),
    "returned row": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a') RETURNING *",
        "ALTER TABLE shop.customer ADD COLUMN country text",
        ("running-row", WARNING, "statement", "columns with country text"),
    ),
    "whole row": (
        "SELECT c FROM shop.customer c",
        "ALTER TABLE shop.customer ADD COLUMN country text",
        ("running-row", WARNING, "statement", "country text"),
    ),
    "type of a column": (
        "SELECT note FROM shop.customer",
        "ALTER TABLE shop.customer ALTER note TYPE varchar(20)",
        ("running-row", WARNING, "statement", "without note character varying(10) and with"),
    ),
    "type of a parameter": (
        "UPDATE shop.orders SET channel = 'x' WHERE id = %s",
        "ALTER TABLE shop.orders ALTER id TYPE bigint",
        ("running-row", WARNING, "statement", "parameters without integer and with bigint"),
    ),
    "insert of a whole row": (
        "INSERT INTO shop.archive SELECT * FROM shop.customer",
        "ALTER TABLE shop.customer ADD COLUMN country text",
        ("running-broken", ERROR, "statement", "INSERT has more expressions than target columns"),
    ),
    "revoked": (
        "DELETE FROM shop.orders WHERE id = 1",
        "REVOKE DELETE ON shop.orders FROM shop_app",
        ("running-broken", ERROR, "statement", "permission denied for table orders"),
    ),
    "truncated table": (
        "TRUNCATE shop.orders",
        "ALTER TABLE shop.orders RENAME TO sale",
        ("running-broken", ERROR, "relation shop.orders", "is not after the batch"),
    ),
}
HARMLESS = {
    "an added column": ("SELECT name FROM shop.customer", "ALTER TABLE shop.customer ADD x text"),
    "an added default": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        "ALTER TABLE shop.customer ADD country text NOT NULL DEFAULT 'AT'",
    ),
    "a computed column": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        "ALTER TABLE shop.customer ADD twice integer NOT NULL GENERATED ALWAYS AS (id * 2) STORED",
    ),
    "an identity": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        "ALTER TABLE shop.customer ADD serial integer GENERATED ALWAYS AS IDENTITY",
    ),
    "a default of a domain": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a')",
        (
            "CREATE DOMAIN shop.code AS text DEFAULT 'x' NOT NULL;"
            " ALTER TABLE shop.customer ADD c shop.code"
        ),
    ),
    "a name behind a view": (
        "SELECT id FROM shop.orders",
        (
            "ALTER TABLE shop.orders RENAME TO sale;"
            " CREATE VIEW shop.orders AS SELECT * FROM shop.sale; GRANT SELECT ON shop.orders TO"
            " shop_app"
        ),
    ),
    "a second unique index": (
        "INSERT INTO shop.customer (id, email) VALUES (1, 'a') ON CONFLICT (email) DO NOTHING",
        (
            "ALTER TABLE shop.customer ADD CONSTRAINT e2 UNIQUE (email);"
            " ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key"
        ),
    ),
    "a given column": (
        "INSERT INTO shop.customer (id, email, name) VALUES (1, 'a', %s)",
        "ALTER TABLE shop.customer ALTER name SET NOT NULL",
    ),
    "what never worked": ("SELECT nothing FROM shop.customer", "DROP VIEW shop.customer_name"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_statement(ground: Ground, name: str) -> None:
    statement, batch, (rule, level, named, said) = CASES[name]
    found = _in_code(ground.findings(statement, batch))
    assert len(found) == 1, found
    assert (found[0].rule, found[0].level) == (rule, level), found
    assert found[0].object.startswith("app/a.py:1:"), found
    assert found[0].object.endswith(f" {named}"), found
    assert said in found[0].detail, found
    assert "in two steps" in found[0].fix or "list them in it" in found[0].fix


@pytest.mark.parametrize("name", HARMLESS)
def test_what_goes_on_working_is_not_told(ground: Ground, name: str) -> None:
    statement, batch = HARMLESS[name]
    found = ground.findings(statement, batch)
    assert [each for each in found if each.rule != "running-unseen"] == []


def _in_code(found: Sequence[Finding]) -> list[Finding]:
    """Without what is said of the bodies of functions."""
    return [each for each in found if not each.object.startswith("function ")]
