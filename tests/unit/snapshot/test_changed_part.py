"""Tests of snapshot/copies/changed_part.py: what of a dump is restored again, and when all."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.copies.changed_part import changed_part
from pytest_housekeeping.snapshot.fingerprint import SchemaObject

HEAD = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"


def entry(kind: str, name: str, text: str) -> str:
    return f"--\n-- Name: {name}; Type: {kind}; Schema: s; Owner: o\n--\n\n{text}\n\n\n"


SCHEMA = entry("SCHEMA", "s", "CREATE SCHEMA s;")
FAR = [entry("TABLE", f"far_{n}", f"CREATE TABLE s.far_{n} (i int);") for n in range(40)]
NEAR = entry("TABLE", "near", "CREATE TABLE s.near (i int);")
KEY = entry("CONSTRAINT", "near near_pkey", "ALTER TABLE ONLY s.near ADD PRIMARY KEY (i);")
ASKS = entry("FUNCTION", "asks()", "CREATE FUNCTION s.asks() AS 'SELECT max(I) FROM NEAR';")
TRIES = entry("FUNCTION", "tries()", "CREATE FUNCTION s.tries() AS 'EXECUTE what';")
ON_ASKS = entry("INDEX", "on_asks", "CREATE INDEX on_asks ON s.far_1 (s.asks());")
ON_TRIES = entry("INDEX", "on_tries", "CREATE INDEX on_tries ON s.far_2 (s.tries());")
WIDER = NEAR.replace("(i int)", "(i int, n int)")
EVENT = entry("EVENT TRIGGER", "ev", "CREATE EVENT TRIGGER ev EXECUTE FUNCTION s.asks();")
SWITCH = "SET default_tablespace = 'fast';\n\n"


def dump(*entries: str) -> bytes:
    return (HEAD + "".join(entries) + "--\n-- PostgreSQL database dump complete\n--\n").encode()


def chosen(before: bytes, after: bytes) -> list[str] | None:
    """The names of the objects that are restored again; None for all."""
    part = changed_part(before, after)
    if part is None:
        return None
    lines = part.text.decode().splitlines()
    return [line[9:].partition(";")[0] for line in lines if line.startswith("-- Name: ")]


def test_what_names_the_changed_and_what_it_stands_on_are_restored_again() -> None:
    """In the dump's order: in capitals in a function's body, and an index on what that tells."""
    rest = (*FAR, KEY, ASKS, ON_ASKS)
    before, after = dump(SCHEMA, NEAR, *rest), dump(SCHEMA, WIDER, *rest)
    assert chosen(before, after) == ["s", "near", "far_1", "near near_pkey", "asks()", "on_asks"]


@pytest.mark.parametrize("many", [2, 60], ids=["few", "many"])
def test_what_names_one_of_few_or_of_many_is_concerned_and_no_longer_word_is(many: int) -> None:
    tables = [NEAR.replace("near", f"near_{n}") for n in range(many)]
    changed = [each.replace("(i int)", "(i int, n int)") for each in tables]
    asks = ASKS.replace("NEAR", f"NEAR_{many - 1}")
    longer = ASKS.replace("NEAR", f"NEAR_{many - 1}0").replace("asks", "asks_not")
    rest = (*(entry("TABLE", f"apart_{n}", "") for n in range(300)), asks, longer, KEY)
    part = changed_part(dump(SCHEMA, *tables, *rest), dump(SCHEMA, *changed, *rest))
    assert part is not None
    there = [name for name in ("asks()", "asks_not()") if f"Name: {name};" in part.text.decode()]
    assert there == ["asks()"]
    said = ("table s.near_0", "function S.ASKS()", "table s.near_00", "function s.asks_not()")
    objects = [SchemaObject(name=name, parent="", text="") for name in said]
    assert part.concerned(objects) == {"table s.near_0", "function S.ASKS()"}


def test_nothing_but_the_head_is_left_of_the_same_dump() -> None:
    assert chosen(dump(SCHEMA, *FAR), dump(SCHEMA, *FAR)) == []


def test_a_function_that_makes_up_its_statements_counts_as_changed() -> None:
    rest = (*FAR, TRIES, ON_TRIES)
    before, after = dump(SCHEMA, NEAR, *rest), dump(SCHEMA, WIDER, *rest)
    assert chosen(before, after) == ["s", "near", "far_2", "tries()", "on_tries"]


def test_what_an_object_is_made_with_comes_along() -> None:
    before, after = dump(SCHEMA, *FAR, NEAR), dump(SCHEMA, *FAR, SWITCH, NEAR)
    part = changed_part(before, after)
    assert part is not None
    assert b"SET default_tablespace = 'fast';\n--\n-- Name: near;" in part.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((*FAR, NEAR, EVENT), (*FAR, WIDER, EVENT), id="each statement is met"),
        pytest.param((*FAR, NEAR), (*FAR[::-1], WIDER), id="another order"),
        pytest.param((*FAR,), (*FAR, entry("CAST", "CAST (a AS b)", "CREATE CAST;")), id="a cast"),
        pytest.param((SCHEMA, *FAR), (SCHEMA.replace("s;", "s; --"), *FAR), id="most of it"),
        pytest.param((*FAR, NEAR), (*FAR, entry("TABLE", '"-"', "x")), id="no word"),
        pytest.param((*FAR, NEAR), (*FAR, WIDER, FAR[0]), id="twice"),
    ],
)
def test_all_is_restored_where_the_words_do_not_tell(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    assert changed_part(dump(*before), dump(*after)) is None


def test_all_is_restored_where_a_dump_begins_otherwise() -> None:
    assert changed_part(dump(), b"-- of another server\n" + dump()) is None
