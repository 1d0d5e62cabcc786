"""A record that is no fingerprint."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot import (
    SnapshotError,
    from_json,
)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 3}', "null"])
def test_a_record_that_is_none_is_an_error(damage: str) -> None:
    with pytest.raises(SnapshotError, match="no fingerprint"):
        from_json(damage)
