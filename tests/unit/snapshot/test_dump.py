"""The text of a dump: its restriction key, and the difference of two."""

from __future__ import annotations

from pytest_housekeeping.snapshot import (
    unified_diff,
)
from pytest_housekeeping.snapshot.dump import normalised, without_restriction


def test_the_key_of_another_restriction_inside_is_no_key() -> None:
    dump = b"\\restrict abc\n\nCOMMENT '\n\\restrict xyz\n';\n\n\\unrestrict abc\n"
    assert without_restriction(dump) == b"\nCOMMENT '\n\\restrict xyz\n';\n\n"
    assert b"\\restrict xyz" in normalised(dump)
    assert b"abc" not in normalised(dump)


def test_a_difference_of_two_dumps_reads_as_a_patch() -> None:
    patch = unified_diff(b"a\nb\n", b"a\nc", "before.sql", "after.sql")
    assert patch == (
        "--- before.sql\n+++ after.sql\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n"
    )
    assert unified_diff(b"a\n", b"a\n", "x", "y") == ""
