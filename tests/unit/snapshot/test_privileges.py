"""Privileges as they are granted again: each behind the one that its grantor has it by."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.privileges import grants_of, in_order


@pytest.mark.parametrize(
    ("acl", "grantors"),
    [
        (["zoe=s*/postgres", "mia=s*/zoe", "ada=s/mia"], ["postgres", "zoe", "mia"]),
        (["ada=r/zoe", "zoe=w*/owner", "zoe=r*/owner"], ["owner", "owner", "zoe"]),
        (["owner=r*w*/owner", "=r/owner"], ["owner", "owner"]),
        (["b=s*/a", "a=s*/b"], ["b", "a"]),
    ],
)
def test_a_grant_waits_for_the_one_that_allows_it(acl: list[str], grantors: list[str]) -> None:
    """Whatever their names are; what allows each other cannot be, and is not lost."""
    grants = list(grants_of(acl, ""))
    ordered = list(in_order(grants))
    assert sorted(map(str, ordered)) == sorted(map(str, grants))
    assert [grant.grantor for grant in ordered] == grantors
