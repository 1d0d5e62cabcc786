"""A message has parts below what was found, and each line of a part is indented like its first."""

from __future__ import annotations

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level

FIX = "BEGIN;\nDROP VIEW a;\nCOMMIT;"
BELOW = """\
  fix: BEGIN;
       DROP VIEW a;
       COMMIT;"""


def test_the_parts_of_an_error_are_indented_as_a_whole() -> None:
    said = str(ProofFailed("a is gone", why="b reads it,\nand c", fix=FIX))
    assert said == f"a is gone\n  why: b reads it,\n       and c\n{BELOW}"
    assert str(ProofFailed("a is gone")) == "a is gone"


def test_the_parts_of_a_finding_are_indented_as_a_whole() -> None:
    found = Finding(
        rule="r", level=Level.ERROR, object="a", detail="is gone", fix=FIX, leak="SELECT\n  1;"
    )
    assert str(found) == f"r [error] a: is gone\n{BELOW}\n  see it: SELECT\n            1;"
