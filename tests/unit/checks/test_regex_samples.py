"""Texts that a regular expression matches."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rls.rows.regex_samples import samples_of


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^[A-Z]{2}$", "AA"),
        (r"^\d{3}-\d+$", "000-00"),
        ("^(ab|cd)$", "ab"),
        ("^[^@\\s]+@x$", "aa@x"),
    ],
)
def test_texts_are_made_to_match(pattern: str, expected: str) -> None:
    assert expected in samples_of(pattern)
    assert samples_of("(?=x)") == ()
