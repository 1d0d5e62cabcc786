"""Each object is found where a file makes it, or changes it last."""

from __future__ import annotations

import pytest

from pytest_housekeeping.model import Place
from pytest_housekeeping.sql.makers import makers

ONE = """-- two schemas
CREATE SCHEMA shop; CREATE ROLE shop_app NOLOGIN;
CREATE EXTENSION pgcrypto;
CREATE TABLE shop.item (
    id bigint PRIMARY KEY,
    "größe, in cm" int,
    total numeric CONSTRAINT total_positive CHECK (total > 0),
    CONSTRAINT item_once UNIQUE (total)
);
CREATE TABLE loose (id int, code text UNIQUE, UNIQUE (id, code));
CREATE FUNCTION shop.twice(a int) RETURNS int LANGUAGE sql AS 'SELECT 2 * a';
CREATE TYPE shop.colour AS ENUM ('red'); CREATE DOMAIN shop.mail AS text;
CREATE INDEX item_total ON shop.item (total);
CREATE VIEW shop.cheap AS SELECT id FROM shop.item;
CREATE MATERIALIZED VIEW shop.kept AS SELECT 1 AS one;
CREATE TABLE shop."Odd.Name" AS SELECT 1 AS one;
CREATE PUBLICATION feed FOR TABLE shop.item;
CREATE TABLE shop.old (id int); CREATE TABLE shop.gone (id int);
"""
TWO = """ALTER TABLE shop.item
    ADD COLUMN note text,
    ALTER COLUMN total SET NOT NULL;
CREATE POLICY own ON shop.item USING (true);
CREATE TRIGGER touched BEFORE INSERT ON shop.item EXECUTE FUNCTION shop.touch();
GRANT SELECT ON shop.item TO shop_app;
GRANT EXECUTE ON FUNCTION shop.twice(int) TO shop_app;
ALTER FUNCTION shop.twice(int) SECURITY DEFINER;
ALTER TABLE shop.old RENAME TO new;
ALTER TABLE shop.cheap RENAME COLUMN id TO number;
INSERT INTO shop.item VALUES (1);
DROP TABLE shop.gone;
ALTER ROLE shop_app SET search_path = shop;
"""
FOUND = makers([("1.sql", ONE), ("broken.sql", "CREATE TABEL shop.item ();"), ("2.sql", TWO)])


@pytest.mark.parametrize(
    ("object_", "path", "line"),
    [
        ("shop.item", "2.sql", 1),
        ("table shop.item", "2.sql", 1),
        ("shop.item.id", "1.sql", 5),
        ('shop.item."größe, in cm"', "1.sql", 6),
        ("column shop.item.note", "2.sql", 2),
        ("shop.item.total", "2.sql", 1),
        ("total_positive on shop.item", "1.sql", 7),
        ("constraint item_once on shop.item", "1.sql", 8),
        ("public.loose", "1.sql", 10),
        ("shop.twice(integer)", "2.sql", 8),
        ("shop.colour", "1.sql", 12),
        ("shop.mail", "1.sql", 12),
        ("index shop.item_total", "1.sql", 13),
        ("shop.item_pkey", "1.sql", 5),
        ("shop.item_once", "1.sql", 8),
        ("public.loose_code_key", "1.sql", 10),
        ("public.loose_id_code_key", "1.sql", 10),
        ("shop.kept", "1.sql", 15),
        ('shop."Odd.Name"', "1.sql", 16),
        ("PUBLICATION feed", "1.sql", 17),
        ("own ON shop.item", "2.sql", 4),
        ("POLICY own ON shop.item", "2.sql", 4),
        ("trigger touched on shop.item", "2.sql", 5),
        ("another ON shop.item", "2.sql", 1),
        ("shop.new", "2.sql", 9),
        ("shop.cheap", "1.sql", 14),
        ("shop.cheap.number", "2.sql", 10),
        ("shop.gone", "2.sql", 12),
        ("shop", "1.sql", 2),
        ("SCHEMA shop", "1.sql", 2),
        ("shop_app", "2.sql", 13),
        ("pgcrypto", "1.sql", 3),
    ],
)
def test_an_object_has_its_line(object_: str, path: str, line: int) -> None:
    place = FOUND.of(object_)
    assert place is not None
    assert (place.path, place.line) == (path, line)


@pytest.mark.parametrize(
    "object_",
    ["shop.nothing", "elsewhere.item_", "LARGE OBJECT 16400", "", "…", '"', "\x1b[31m", "a" * 5000],
)
def test_what_no_file_makes_has_none(object_: str) -> None:
    assert FOUND.of(object_) is None


def test_privileges_are_found_where_they_are_given() -> None:
    assert FOUND.of("shop.item", privileges=True) == Place(path="2.sql", line=6)
    assert FOUND.of("shop.twice(integer)", privileges=True) == Place(path="2.sql", line=7)
    # Of what nobody was ever given, the place is that of the object.
    assert FOUND.of("shop.cheap", privileges=True) == Place(path="1.sql", line=14)
