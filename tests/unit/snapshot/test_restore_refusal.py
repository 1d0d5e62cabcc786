"""What to do about a backup that does not restore, by what psql has said of it."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.copies.refusal import remedy


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        (
            ["ERROR:  function enc(bytea) does not exist", 'CONTEXT:  SQL function "enc"'],
            "ALTER FUNCTION … SET search_path = …",
        ),
        (["ERROR:  ICU is not supported in this build"], "the server package"),
        (['ERROR:  column "gone" does not exist'], "repair in production what cannot be restored"),
    ],
)
def test_what_to_do_about_a_statement_that_fails(said: list[str], fix: str) -> None:
    assert fix in remedy(said)
