"""Bodies of functions that are text: what a batch breaks of them, and what it leaves working."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.model import Level
from pytest_housekeeping.server import StagingDatabase
from support.running_ground import Ground, running_ground

HEAD = "CREATE FUNCTION shop.f(p_id integer, p_name text DEFAULT 'x') RETURNS {} LANGUAGE {} AS $$"
DROP_NAME = "ALTER TABLE shop.customer DROP COLUMN name CASCADE"
REQUIRED = "ALTER TABLE shop.customer ADD COLUMN country text NOT NULL"
TRIGGER = """
CREATE FUNCTION shop.t() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.name IS NULL THEN
        NEW.name := lower(NEW.email);
    END IF;
    INSERT INTO shop.archive SELECT NEW.*;
    RETURN NEW;
END $$;
CREATE TRIGGER t BEFORE INSERT ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.t();
"""
# A body, a batch, the line that is told and its level.
BROKEN = {
    "sql": (
        HEAD.format("text", "sql") + "\nSELECT name FROM shop.customer WHERE id = p_id $$",
        DROP_NAME,
        (2, "name", Level.ERROR),
    ),
    "sql, by number": (
        HEAD.format("void", "sql") + "UPDATE shop.customer SET name = $2 WHERE id = $1 $$",
        DROP_NAME,
        (1, "name", Level.ERROR),
    ),
    "a statement": (
        HEAD.format("void", "plpgsql")
        + "\nBEGIN\n  UPDATE shop.customer SET name = p_name WHERE id = p_id;\nEND $$",
        DROP_NAME,
        (3, "name", Level.ERROR),
    ),
    "a condition": (
        HEAD.format("void", "plpgsql")
        + "\nBEGIN\n  IF EXISTS (SELECT FROM shop.customer WHERE name = f.p_name) THEN\n"
        "    RETURN;\n  END IF;\nEND $$",
        DROP_NAME,
        (3, "name", Level.ERROR),
    ),
    "an assignment": (
        HEAD.format("text", "plpgsql") + "\n<<top>>\nDECLARE\n  v text;\nBEGIN\n"
        "  top.v := (SELECT max(name) FROM shop.customer);\n  RETURN v;\nEND $$",
        DROP_NAME,
        (6, "name", Level.ERROR),
    ),
    "a loop": (
        HEAD.format("void", "plpgsql")
        + "\nDECLARE r record;\nBEGIN\n  FOR r IN SELECT * FROM shop.customer LOOP\n"
        "    DELETE FROM shop.orders WHERE customer = r.id AND channel = r.name;\n"
        "  END LOOP;\nEND $$",
        "ALTER TABLE shop.orders DROP COLUMN channel",
        (5, "channel", Level.ERROR),
    ),
    "a field of a row": (
        HEAD.format("text", "plpgsql")
        + "\nDECLARE c shop.customer;\nBEGIN\n  SELECT * INTO c FROM shop.customer;\n"
        "  RETURN c.name;\nEND $$",
        DROP_NAME,
        (5, "statement", Level.ERROR),
    ),
    "a field of a row type": (
        HEAD.format("text", "plpgsql")
        + "\nDECLARE c shop.customer%ROWTYPE; i shop.customer.id%TYPE;\nBEGIN\n"
        "  i := p_id;\n  RETURN c.name;\nEND $$",
        DROP_NAME,
        (5, "statement", Level.ERROR),
    ),
    "returned rows": (
        (
            "CREATE FUNCTION shop.f(p_id integer, p_name text, OUT n text) RETURNS SETOF text"
            " LANGUAGE plpgsql AS $$\nBEGIN\n"
            "  RETURN QUERY SELECT c.name FROM shop.customer c;\nEND $$"
        ),
        DROP_NAME,
        (3, "c.name", Level.ERROR),
    ),
    "a conflict without its index": (
        HEAD.format("void", "plpgsql")
        + "\nBEGIN\n  INSERT INTO shop.customer (id, email) VALUES (p_id, p_name)\n"
        "    ON CONFLICT (email) DO NOTHING;\nEND $$",
        "ALTER TABLE shop.customer DROP CONSTRAINT customer_email_key",
        (3, "statement", Level.ERROR),
    ),
    "a required column": (
        HEAD.format("void", "plpgsql")
        + "\nBEGIN\n  INSERT INTO shop.customer (id, email) VALUES (p_id, p_name);\nEND $$",
        REQUIRED,
        (3, "shop.customer.country", Level.ERROR),
    ),
    "a required column, in a body that is no text": (
        (
            "CREATE FUNCTION shop.f(p_id integer, p_name text) RETURNS void"
            " LANGUAGE sql\nBEGIN ATOMIC"
            " INSERT INTO shop.customer (id, email) VALUES (p_id, p_name); END"
        ),
        REQUIRED,
        (2, "shop.customer.country", Level.ERROR),
    ),
    "another function": (
        HEAD.format("void", "plpgsql") + "\nBEGIN\n  PERFORM shop.price(p_id);\nEND $$",
        "DROP FUNCTION shop.price(integer)",
        (3, "shop.price", Level.ERROR),
    ),
}
HARMLESS = {
    "replaced": (
        BROKEN["a statement"][0],
        DROP_NAME
        + ";"
        + BROKEN["a statement"][0]
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("UPDATE shop.customer SET name = p_name WHERE id = p_id", "NULL"),
    ),
    "dropped": (BROKEN["a statement"][0], DROP_NAME + "; DROP FUNCTION shop.f(integer, text)"),
    "put together": (
        HEAD.format("void", "plpgsql") + "\nBEGIN\n  EXECUTE 'SELECT ' || p_name;\nEND $$",
        DROP_NAME,
    ),
    "with a path of its own": (
        HEAD.format("void", "plpgsql").replace("AS $$", "SET search_path = shop AS $$")
        + "\nBEGIN\n  PERFORM id FROM customer;\nEND $$",
        DROP_NAME,
    ),
}


@pytest.fixture
def ground(database: StagingDatabase, tmp_path: Path) -> Iterator[Ground]:
    with running_ground(database, tmp_path) as found:
        yield found


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_batch_breaks_of_a_body(ground: Ground, name: str) -> None:
    body, batch, (line, object_, level) = BROKEN[name]
    ground.connection.execute(body.encode())
    found = [each for each in ground.findings("SELECT 1", batch) if "shop.f" in each.object]
    assert len(found) == 1, found
    assert found[0].level is level
    assert found[0].object.startswith("function shop.f(p_id integer, p_name text")
    assert f"):{line}:1 {object_}" in found[0].object, found[0].object
    assert "replace the function in the same batch" in found[0].fix


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_batch_does_not_break(ground: Ground, name: str) -> None:
    body, batch = HARMLESS[name]
    ground.connection.execute(body.encode())
    found = [each for each in ground.findings("SELECT 1", batch) if "shop.f" in each.object]
    assert found == []


def test_a_body_that_goes_by_its_own_path(ground: Ground) -> None:
    body = HARMLESS["with a path of its own"][0]
    ground.connection.execute(body.replace("PERFORM id", "PERFORM name").encode())
    found = [each for each in ground.findings("SELECT 1", DROP_NAME) if "shop.f" in each.object]
    assert [each.rule for each in found] == ["running-broken"]


def test_rows_of_a_trigger_are_those_of_its_table(ground: Ground) -> None:
    ground.connection.execute(TRIGGER.encode())
    found = [each.object for each in ground.findings("SELECT 1", DROP_NAME)]
    assert found == ["function shop.t():3:1 statement", "function shop.t():4:1 statement"]
    # On two tables it has two kinds of rows, and either may lose a column.
    ground.connection.execute(
        "CREATE TRIGGER t BEFORE INSERT ON shop.archive FOR EACH ROW EXECUTE FUNCTION shop.t()"
    )
    for table in ("customer", "archive"):
        batch = f"ALTER TABLE shop.{table} DROP COLUMN name CASCADE"
        lines = {each.object.split(":")[1] for each in ground.findings("SELECT 1", batch)}
        assert lines >= {"3", "4"}, table
    ground.connection.execute("DROP TRIGGER t ON shop.archive")
    wider = ground.findings("SELECT 1", "ALTER TABLE shop.customer ADD COLUMN country text")
    assert [each.object for each in wider] == ["function shop.t():6:1 statement"]
    assert "INSERT has more expressions than target columns" in wider[0].detail


def test_what_was_not_decided_is_said_by_name(ground: Ground) -> None:
    ground.connection.execute(HARMLESS["put together"][0].encode())
    verdict = ground.python("SELECT 1", "SELECT 1")
    said = "3 functions of the database: 3 statements prepared, not decided in"
    assert verdict.coverage[-1] == f"{said} shop.f(p_id integer, p_name text)"
