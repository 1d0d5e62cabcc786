"""A schema for each tenant, which the application makes: what is like another may come and go."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.compare.declared_moves import (
    split_declared,
    without_alike,
    without_declared,
)
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.coverage import VERSION
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject


def _fingerprint(entries: list[SchemaObject]) -> Fingerprint:
    found = tuple(sorted(entries, key=lambda each: each.name))
    return Fingerprint(entries=found, server_major=16, version=VERSION)


def _tenant(
    name: str, *more: tuple[str, str], grant: str = "grant ALL to app by owner"
) -> list[SchemaObject]:
    return [
        SchemaObject(name=f"schema {name}", parent="", text=f"owner: owner\n{grant}"),
        SchemaObject(name=f"table {name}.bill", parent=f"schema {name}", text="owner: owner"),
        SchemaObject(
            name=f"constraint pay on {name}.bill",
            parent=f"table {name}.bill",
            text=f"definition: FOREIGN KEY (payer) REFERENCES {name}.bill(id)",
        ),
        *(SchemaObject(name=what, parent=parent, text="") for what, parent in more),
    ]


_LIKES = {"schemas like acme": "one a tenant"}


@pytest.mark.parametrize(
    ("other", "others"),
    [
        (_tenant("beta"), ()),
        (_tenant('"Beta-2"'), ()),
        # More, less, or another grant than the schema that it is to be like.
        (_tenant("beta", ("table beta.note", "schema beta")), ("schema beta",)),
        (_tenant("beta")[:2], ("schema beta",)),
        (_tenant("beta", grant="grant ALL to all by owner"), ("schema beta",)),
        # A part of one that was there before is no schema that comes.
        (
            [
                SchemaObject(name="table acme.note", parent="schema acme", text=""),
            ],
            ("table acme.note",),
        ),
    ],
)
def test_a_schema_that_is_like_another_may_come_and_go(
    other: list[SchemaObject], others: tuple[str, ...]
) -> None:
    one, both = _fingerprint(_tenant("acme")), _fingerprint([*_tenant("acme"), *other])
    for before, after in ((one, both), (both, one)):
        moves = split_declared(before, after, _LIKES)
        assert tuple(each.name for each in moves.others) == others
        assert [reason for _, reason in moves.declared] == ["one a tenant"] * (not others)
    same = without_declared(one, _LIKES).digest == without_declared(both, _LIKES).digest
    assert same is (not others)
    found = without_alike(diff(one, both), both, _LIKES)
    assert tuple(each.name for each in found) == others


def test_the_schema_that_others_are_like_does_not_go_unseen() -> None:
    one, both = _fingerprint(_tenant("beta")), _fingerprint([*_tenant("acme"), *_tenant("beta")])
    (found,) = split_declared(both, one, _LIKES).others
    assert found.name == "schema acme"
