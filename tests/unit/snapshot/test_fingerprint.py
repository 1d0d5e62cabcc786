"""A record that is no fingerprint, objects of one name, and a schema without some kinds."""

from __future__ import annotations

from random import Random

import pytest

from pytest_housekeeping.snapshot import fingerprint
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.fingerprint_record import from_json, to_json
from pytest_housekeeping.snapshot.problems import SnapshotError


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


def test_a_record_in_another_order_is_an_error() -> None:
    """What is taken out of a schema is looked for by its place."""
    entries = tuple(SchemaObject(name=name, parent="", text="") for name in ("table b", "table a"))
    with pytest.raises(SnapshotError, match="does not add up"):
        from_json(to_json(Fingerprint(entries=entries, server_major=16)))


def test_a_schema_without_some_kinds_is_all_but_what_begins_with_their_words() -> None:
    random = Random(7)
    words = ["a", "a b", "ab", "a!", "b", "b a", "é", "a \x01", "role", "role x"]
    for _ in range(200):
        names = {" ".join(random.choices(words, k=random.randint(1, 3))) for _ in range(12)}
        entries = fingerprint.in_order(SchemaObject(name=n, parent="", text="") for n in names)
        kinds = random.sample(words, random.randint(0, 4))
        starts = tuple(f"{kind} " for kind in kinds)
        left = [e for e in entries if e.name not in kinds and not e.name.startswith(starts)]
        whole = Fingerprint(entries=entries, server_major=16)
        assert whole.without(*kinds).entries == (*left,)
        of_kind = [e for e in entries if e.name.startswith("a ")]
        assert whole.of_kind("a") == (*of_kind,)
