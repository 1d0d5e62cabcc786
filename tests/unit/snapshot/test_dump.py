"""The text of a dump: its restriction key, and the difference of two."""

from __future__ import annotations

from pytest_housekeeping.snapshot.dumps.difference import dump_difference
from pytest_housekeeping.snapshot.dumps.dump import normalised, without_restriction


def test_the_key_of_another_restriction_inside_is_no_key() -> None:
    dump = b"\\restrict abc\n\nCOMMENT '\n\\restrict xyz\n';\n\n\\unrestrict abc\n"
    assert without_restriction(dump) == b"\nCOMMENT '\n\\restrict xyz\n';\n\n"
    assert b"\\restrict xyz" in normalised(dump)
    assert b"abc" not in normalised(dump)


def _entry(name: str, text: str, *, owner: str = "me", type: str = "TABLE") -> str:
    return f"--\n-- Name: {name}; Type: {type}; Schema: s; Owner: {owner}\n--\n\n{text}\n\n\n"


def _dump(key: str, *parts: str) -> bytes:
    head = f"--\n-- PostgreSQL database dump\n--\n\n\\restrict {key}\n\nSET lock_timeout = 0;\n\n"
    tail = f"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict {key}\n"
    return "".join([head, *parts, tail]).encode()


FAST = "SET default_tablespace = fast;\n\n"
HEAP = "SET default_table_access_method = heap;\n\n"


def test_another_key_and_another_order_are_no_difference() -> None:
    one, two = _entry("a", "CREATE TABLE s.a ();"), _entry("b", "CREATE TABLE s.b ();")
    old = _dump("abc", one, HEAP, two)
    assert dump_difference(old, _dump("xyz", two, HEAP, one), "x", "y") == ""


def test_a_difference_reads_as_a_patch_object_by_object() -> None:
    one, two = _entry("a", "CREATE TABLE s.a (\n    x integer\n);"), _entry("b", "CREATE b;")
    more = _entry("a", "CREATE TABLE s.a (\n    x integer,\n    y text\n);", owner="you")
    patch = dump_difference(_dump("abc", one, two), _dump("xyz", more), "x.sql", "y.sql")
    assert patch == (
        "--- x.sql\n+++ y.sql\n"
        "@@ -1,3 +1,4 @@ TABLE s.a\n CREATE TABLE s.a (\n-    x integer\n"
        "+    x integer,\n+    y text\n );\n"
        "@@ -1 +0,0 @@ TABLE s.b\n-CREATE b;\n"
    )


def test_what_a_table_is_made_with_belongs_to_it() -> None:
    table = _entry("a", "CREATE TABLE s.a ();")
    patch = dump_difference(_dump("a", table), _dump("b", FAST, table), "x", "y")
    assert "+SET default_tablespace = fast;\n CREATE TABLE s.a ();\n" in patch
    assert "@@ TABLE s.a" in patch


def test_what_both_begin_and_end_with_is_left_out_of_the_reading_alone() -> None:
    """What the first of the rest is made with was said before, and what it says itself counts for
    all behind it."""
    a, b, c, new = (_entry(name, f"CREATE TABLE s.{name} ();") for name in ("a", "b", "c", "new"))
    usual = "SET default_tablespace = '';\n\n"
    patch = dump_difference(_dump("k", FAST, a, b, c), _dump("l", FAST, a, b, new, c), "x", "y")
    made = "+SET default_tablespace = fast;\n+CREATE TABLE s.new ();\n"
    assert patch == f"--- x\n+++ y\n@@ -0,0 +1,2 @@ TABLE s.new\n{made}"
    patch = dump_difference(_dump("k", FAST, a, b, c), _dump("l", FAST, a, usual, b, c), "x", "y")
    assert [line for line in patch.splitlines() if line.startswith("@@")] == [
        "@@ -1,2 +1 @@ TABLE s.b",
        "@@ -1,2 +1 @@ TABLE s.c",
    ]
    assert dump_difference(_dump("k", a, b), _dump("l", a, b), "x", "y") == ""
