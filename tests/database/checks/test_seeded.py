"""Made-up rows for a batch to meet: accepted before and after it, and what becomes of them told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_housekeeping.checks.rls.rows.table_shape import read_shapes
from pytest_housekeeping.checks.seeded.seeding import Seeded, seed
from pytest_housekeeping.checks.seeded.values import losses, read_rows
from pytest_housekeeping.postgres.connection import Connection

SCHEMA = """
CREATE SCHEMA shop;
CREATE TABLE shop.owner (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE shop.item (id int PRIMARY KEY, owner_id bigint NOT NULL REFERENCES shop.owner,
    size text, code text, kind text);
CREATE TABLE shop.part (id int, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""
NAMES = {name: ("shop", name.removeprefix("shop.")) for name in ("shop.item", "shop.part")}


@pytest.fixture
def shop(superuser: Connection) -> Iterator[Connection]:
    superuser.execute(SCHEMA)
    superuser.execute("BEGIN")
    yield superuser
    superuser.execute("ROLLBACK; DROP SCHEMA shop CASCADE")


def seeded(connection: Connection, batch: str) -> Seeded:
    """The rows for a batch, which is applied and taken back before, to know what it makes."""
    before = read_shapes(connection, list(NAMES.values()))
    connection.execute("SAVEPOINT after")
    connection.execute(batch.encode())
    after = read_shapes(connection, list(NAMES.values()))
    connection.execute("ROLLBACK TO SAVEPOINT after")
    return seed(connection, before, after, NAMES)


def held(connection: Connection) -> Any:
    oids = "SELECT oid::int8 FROM pg_class WHERE relname ~ '^(item|thing|owner|part|part_1)$'"
    return read_rows(connection, [oid for (oid,) in connection.execute(oids).fetchall()])


# What rows decide is asked of production's own: these could have nothing against any of it.
HARMLESS = """
ALTER TABLE shop.item ALTER COLUMN size TYPE integer USING size::integer;
ALTER TABLE shop.item ADD CONSTRAINT small CHECK (size BETWEEN 3 AND 40);
ALTER TABLE shop.item ADD UNIQUE (code);
ALTER TABLE shop.item ALTER COLUMN kind SET NOT NULL;
ALTER TABLE shop.item ADD CONSTRAINT known CHECK (kind IN ('lamp', 'desk'));
"""


def test_rows_are_accepted_by_what_the_batch_demands(shop: Connection) -> None:
    found = seeded(shop, HARMLESS)
    assert found == Seeded(rows={"shop.item": 2, "shop.part": 2}, reasons={})
    before = held(shop)
    shop.execute(HARMLESS.encode())
    assert list(losses(before, held(shop))) == []


LOSSES = {
    "DELETE FROM shop.item": "table shop.item: rows are gone (2)",
    "DROP TABLE shop.item": "table shop.item: dropped, with its rows (2)",
    "ALTER TABLE shop.item DROP COLUMN code": "column shop.item.code: dropped, with its values (2)",
    "UPDATE shop.item SET code = NULL": "column shop.item.code: values are NULL now (2)",
    "ALTER TABLE shop.item ALTER code TYPE text USING left(code, 2)": (
        "column shop.item.code: values are cut off (2)"
    ),
    "UPDATE shop.item SET code = 'x' || id": "column shop.item.code: values are others now (2)",
}


@pytest.mark.parametrize("batch", LOSSES)
def test_what_goes_is_told(shop: Connection, batch: str) -> None:
    seeded(shop, "SELECT")
    before = held(shop)
    shop.execute(batch.encode())
    told = [
        f"{each.object}: {each.how.partition(',')[0] if 'values are' in each.how else each.how}"
        f" ({each.rows})"
        for each in losses(before, held(shop))
    ]
    assert told == [LOSSES[batch]]


@pytest.mark.parametrize(
    "batch",
    [
        "ALTER TABLE shop.item RENAME COLUMN code TO word",
        "ALTER TABLE shop.item RENAME TO thing",
        "ALTER TABLE shop.item ALTER id TYPE bigint",
        "ALTER TABLE shop.item ADD COLUMN more text NOT NULL DEFAULT 'x'",
    ],
)
def test_what_stays_is_not_told(shop: Connection, batch: str) -> None:
    seeded(shop, "SELECT")
    before = held(shop)
    shop.execute(batch.encode())
    assert list(losses(before, held(shop))) == []


def test_what_a_default_refers_to_is_made_as_well(shop: Connection) -> None:
    """The copy has no rows, also not those that a migration has put there."""
    shop.execute(
        "CREATE TABLE shop.tongue (code text PRIMARY KEY);"
        "ALTER TABLE shop.item ADD tongue text NOT NULL DEFAULT 'en' REFERENCES shop.tongue,"
        " ADD other text DEFAULT 'en' REFERENCES shop.tongue"
    )
    assert seeded(shop, "SELECT").rows["shop.item"] == 2


def test_a_table_that_gets_no_row_says_why(shop: Connection) -> None:
    shop.execute("ALTER TABLE shop.item ADD CHECK (id > 10 AND id < 5)")
    found = seeded(shop, "SELECT")
    assert found.rows == {"shop.part": 2}
    assert "no value was found that satisfies" in found.reasons["shop.item"]
