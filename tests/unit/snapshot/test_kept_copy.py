"""A copy is used again where nothing that it is made of is another: every part is in the key."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from pytest_housekeeping.snapshot.copies.kept import WORTH_KEEPING, CopyKey
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

FOUND = Fingerprint(entries=(), server_major=16)
KEY = CopyKey(schema=b"schema", roles=b"roles", around=b"", name="shop", expected=FOUND)
OTHERS: dict[str, tuple[Any, ...]] = {
    "schema": (b"schema ",),
    "roles": (b"",),
    "around": (b"roles",),
    "name": ("",),
    "expected": (
        replace(FOUND, entries=(SchemaObject(name="role a", parent="", text=""),)),
        replace(FOUND, superuser="chief"),
        replace(FOUND, excluded=("housekeeping",)),
    ),
}


def test_each_part_has_its_case() -> None:
    assert set(OTHERS) == {field.name for field in fields(CopyKey)}


@pytest.mark.parametrize("part", OTHERS)
def test_another_part_is_another_key(part: str) -> None:
    found = {replace(KEY, **{part: other}).digest for other in OTHERS[part]}
    assert len(found) == len(OTHERS[part])
    assert KEY.digest not in found


def test_no_text_passes_for_another() -> None:
    moved = replace(KEY, schema=KEY.roles, roles=KEY.schema)
    joined = replace(KEY, schema=KEY.schema + KEY.roles, roles=b"")
    assert len({KEY.digest, moved.digest, joined.digest}) == 3


def test_what_is_restored_at_once_is_not_kept() -> None:
    large = replace(KEY, schema=b"s" * WORTH_KEEPING)
    assert large.worth_keeping
    assert not KEY.worth_keeping
    assert not replace(large, name="template1").worth_keeping
