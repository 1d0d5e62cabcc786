"""What a batch changes is found under names that need quoting, and once for all partitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.server import StagingDatabase
from support.changes_ground import judged, stand

ODD = """
CREATE SCHEMA "We.ird";
CREATE TABLE "We.ird"."Or ""der"" on x" (id int PRIMARY KEY, "a.b" int, "C" int NOT NULL);
CREATE TABLE "We.ird"."p.q" (id int PRIMARY KEY);
"""
TABLE = '"We.ird"."Or ""der"" on x"'
PARTS = """
CREATE TABLE shop.part (id int, a int, at date) PARTITION BY RANGE (id);
CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES FROM (0) TO (10);
CREATE TABLE shop.part_2 PARTITION OF shop.part FOR VALUES FROM (10) TO (20)
    PARTITION BY RANGE (id);
CREATE TABLE shop.part_2_1 PARTITION OF shop.part_2 FOR VALUES FROM (10) TO (15);
"""


@pytest.fixture
def standing(database: StagingDatabase) -> Iterator[LentConnection]:
    connection = stand(database.superuser_conninfo)
    connection.execute((ODD + PARTS).encode())
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("text", "rule", "name"),
    [
        ("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", "set-not-null-scans", f'{TABLE}."a.b"'),
        ("ALTER TABLE {} ALTER COLUMN {} TYPE bigint", "type-change-rewrites", f'{TABLE}."a.b"'),
        ("ALTER TABLE {} RENAME COLUMN {} TO z", "column-renamed", f'{TABLE}."a.b"'),
        ("ALTER TABLE {} DROP COLUMN {}", "column-dropped", f'{TABLE}."a.b"'),
        (
            'ALTER TABLE {} ADD CONSTRAINT "o.n" UNIQUE ({})',
            "unique-builds-index",
            f'"o.n" on {TABLE}',
        ),
        (
            'ALTER TABLE {} ADD CONSTRAINT "c k" CHECK ({} > 0)',
            "check-validated",
            f'"c k" on {TABLE}',
        ),
        (
            'ALTER TABLE {} ADD CONSTRAINT f FOREIGN KEY ({}) REFERENCES "We.ird"."p.q"',
            "foreign-key-validated",
            f"f on {TABLE}",
        ),
        ("ALTER TABLE {} RENAME TO other", "table-renamed", TABLE),
        ("UPDATE {} SET {} = 1", "rows-written", TABLE),
    ],
)
def test_a_name_that_needs_quoting(
    standing: LentConnection, text: str, rule: str, name: str
) -> None:
    found = judged(standing, [text.format(TABLE, '"a.b"')], decided=True)
    assert (rule, name) in {(each.rule, each.object) for each in found}


def test_a_check_on_a_quoted_column_proves_it(standing: LentConnection) -> None:
    check = f'ALTER TABLE {TABLE} ADD CONSTRAINT t CHECK ("a.b" IS NOT NULL)'
    own = "-- hk: transaction=own\n"
    files = (
        f"{check} NOT VALID",
        f"{own}ALTER TABLE {TABLE} VALIDATE CONSTRAINT t",
        f'{own}ALTER TABLE {TABLE} ALTER COLUMN "a.b" SET NOT NULL',
        f"{own}ALTER TABLE {TABLE} DROP CONSTRAINT t",
    )
    assert not judged(standing, files)


@pytest.mark.parametrize(
    ("text", "rule", "name"),
    [
        ("ALTER TABLE shop.part ALTER COLUMN a TYPE bigint", "type-change-rewrites", "shop.part.a"),
        ("ALTER TABLE shop.part ALTER COLUMN a SET NOT NULL", "set-not-null-scans", "shop.part.a"),
        (
            "ALTER TABLE shop.part ADD CONSTRAINT c CHECK (a > 0)",
            "check-validated",
            "c on shop.part",
        ),
        ("ALTER TABLE shop.part RENAME COLUMN a TO b", "column-renamed", "shop.part.a"),
        ("UPDATE shop.part SET a = 1", "rows-written", "shop.part"),
        ("ALTER TABLE shop.part DROP COLUMN a", "column-dropped", "shop.part.a"),
    ],
)
def test_all_partitions_are_told_once(
    standing: LentConnection, text: str, rule: str, name: str
) -> None:
    found = judged(standing, [text])
    assert [each.object for each in found if each.rule == rule] == [name]


def test_the_lock_says_which_file_to_cut(standing: LentConnection) -> None:
    files = (
        "ALTER TABLE shop.customer ADD COLUMN city text",
        "CREATE INDEX orders_total ON shop.orders (total)",
    )
    found = {each.rule: each for each in judged(standing, files)}
    assert "begin 0002_it.sql with -- hk: transaction=own" in found["long-lock-window"].fix
    validated = (
        "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;\n"
        "ALTER TABLE shop.orders VALIDATE CONSTRAINT sane;"
    )
    (each,) = (e for e in judged(standing, [validated]) if e.level is Level.ERROR)
    assert each.rule == "validated-in-same-transaction"
    assert "move it from 0001_it.sql to a later file" in each.fix
