"""Whether files may touch tables that hold rows, before anybody has run them."""

from __future__ import annotations

import pytest

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.rehearsal.standing_rows import may_touch_rows
from pytest_housekeeping.server import StagingDatabase

STANDS = """
CREATE SCHEMA shop;
CREATE TABLE shop.full_one (id int PRIMARY KEY);
CREATE TABLE shop.tied (id int REFERENCES shop.full_one);
CREATE TABLE shop.heir (extra int) INHERITS (shop.full_one);
CREATE TABLE shop.parted (id int) PARTITION BY LIST (id);
CREATE TABLE shop.part_1 PARTITION OF shop.parted FOR VALUES IN (1);
CREATE TABLE shop.bare (id int);
CREATE TABLE shop.watched (id int);
CREATE FUNCTION shop.recount() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON shop.watched FOR EACH ROW EXECUTE FUNCTION shop.noted();
INSERT INTO shop.full_one VALUES (1); INSERT INTO shop.part_1 VALUES (1);
"""


@pytest.mark.parametrize(
    ("texts", "may"),
    [
        (["ALTER TABLE shop.bare ADD COLUMN note text"], False),
        (["CREATE TABLE shop.fresh (id int)", "CREATE INDEX ON shop.bare (id)"], False),
        ([], False),
        (["ALTER TABLE shop.FULL_one ADD COLUMN note text"], True),
        (["ALTER TABLE shop.tied DROP CONSTRAINT tied_id_fkey"], True),
        (["ALTER TABLE shop.parted ADD COLUMN note text"], True),
        (["DROP TABLE shop.bare CASCADE"], True),
        (["SELECT shop.recount()"], True),
        (["INSERT INTO shop.watched VALUES (1)"], True),
        (["DO $$ BEGIN PERFORM 1; END $$"], True),
    ],
)
def test_what_they_name_and_what_that_reaches(
    database: StagingDatabase, texts: list[str], may: bool
) -> None:
    with connect(database.migrator_conninfo) as connection:
        connection.execute(STANDS)
        assert may_touch_rows(connection, texts) is may


def test_a_name_that_is_no_word_counts_as_named(database: StagingDatabase) -> None:
    with connect(database.migrator_conninfo) as connection:
        connection.execute('CREATE TABLE "a b" (id int); INSERT INTO "a b" VALUES (1)')
        assert may_touch_rows(connection, ["SELECT 1"])
