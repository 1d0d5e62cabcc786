"""A module is read as a whole: it ends before it is too long for that."""

from __future__ import annotations

from support.fresh_copy import ROOT

MOST_LINES = 300


def test_no_module_is_too_long() -> None:
    sizes = {
        str(path.relative_to(ROOT)): path.read_bytes().count(b"\n")
        for path in (ROOT / "pytest_housekeeping").rglob("*.py")
    }
    assert {path: size for path, size in sizes.items() if size > MOST_LINES} == {}
