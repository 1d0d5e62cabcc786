"""A record that is no fingerprint."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot import (
    SchemaObject,
    SnapshotError,
    fingerprint,
    from_json,
)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 3}', "null"])
def test_a_record_that_is_none_is_an_error(damage: str) -> None:
    with pytest.raises(SnapshotError, match="no fingerprint"):
        from_json(damage)


def test_two_objects_of_one_name_are_an_error_that_names_it() -> None:
    one, other = (SchemaObject(name="cast (a AS b)", parent="", text=text) for text in "xy")
    with pytest.raises(SnapshotError, match=r"two objects of one name: cast \(a AS b\)"):
        fingerprint.in_order([other, one])
    later = SchemaObject(name="cast (a AS c)", parent="", text="a")
    assert fingerprint.in_order([later, one]) == (one, later)
