"""What the comment at the top of a query says of it."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.queries import describe


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("-- One.\n-- Two.\nSELECT 1\n-- no", "One. Two."),
        ("\ufeff-- One.\n-- hk: x=y\n--\nSELECT 1", "One."),
        ("SELECT 1", ""),
    ],
)
def test_the_comment_at_the_top_describes_a_query(text: str, described: str) -> None:
    assert describe(text) == described
