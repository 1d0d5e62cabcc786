"""How a stored search path is read."""

from __future__ import annotations

from pytest_housekeeping.checks.code.resolve.search_path import split_path


def test_a_stored_search_path_is_split() -> None:
    assert split_path('"$user", public') == ("$user", "public")
    assert split_path('a, "B c"') == ("a", "B c")
    assert split_path('""') == ()
