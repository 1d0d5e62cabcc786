"""A disk that is full is told with what to do, whichever machine's it is."""

from __future__ import annotations

import errno

import pytest
from psycopg import errors

from pytest_housekeeping.plugin.items import told_of_no_room


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        errors.DiskFull('could not write to file "base/1/2": No space left on device\nHINT: x'),
    ],
)
def test_no_room_is_told_with_what_to_do(error: Exception) -> None:
    said = told_of_no_room(error)
    assert "No space left on device" in said
    assert "  fix: make room" in said
    assert "HINT" not in said


@pytest.mark.parametrize("error", [ValueError("x"), errors.UndefinedTable("x")])
def test_anything_else_is_not(error: Exception) -> None:
    assert told_of_no_room(error) == ""
