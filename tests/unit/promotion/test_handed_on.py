"""What the first databases of a fleet hand on: taken once, and only where it is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.promotion.production.of_fleet.handed import _HANDED, Handed, hand
from pytest_housekeeping.promotion.production.of_fleet.handed_on import (
    dump_for_all,
    hand_on_read_again,
    read_again_by,
)
from pytest_housekeeping.snapshot.catalog.statements import ReadAgain

ASKED = ReadAgain(catalogs=frozenset({"pg_class", "pg_type"}), there=frozenset({"pg_policy"}))


@pytest.fixture
def taken() -> list[bytes]:
    return []


@pytest.fixture(autouse=True)
def one_of_a_fleet(tmp_path: Path) -> Iterator[None]:
    hand(Handed(target=Target(), proof=tmp_path / "group-1.proof"))
    yield
    _HANDED.clear()


def dump_of(taken: list[bytes], content: bytes, *, before: bytes = b"b", after: str = "a") -> bytes:
    def dump() -> bytes:
        taken.append(content)
        return content

    return dump_for_all(before, after, dump)


def test_a_dump_is_taken_once_of_what_is_the_same(taken: list[bytes]) -> None:
    assert dump_of(taken, b"first") == b"first"
    assert dump_of(taken, b"second") == b"first"
    assert taken == [b"first"]


@pytest.mark.parametrize("other", [{"before": b"other"}, {"after": "other"}])
def test_another_schema_has_a_dump_of_its_own(taken: list[bytes], other: dict[str, str]) -> None:
    dump_of(taken, b"first")
    assert dump_of(taken, b"second", **other) == b"second"  # type: ignore[arg-type]


def test_nothing_is_handed_on_outside_of_a_fleet(taken: list[bytes]) -> None:
    _HANDED.clear()
    assert [dump_of(taken, each) for each in (b"one", b"two")] == [b"one", b"two"]
    hand_on_read_again("plan", ASKED)
    assert read_again_by("plan") is None


def test_what_was_read_again_is_known_by_the_plan() -> None:
    assert read_again_by("plan") is None
    hand_on_read_again("plan", ASKED)
    hand_on_read_again("plan", ReadAgain(catalogs=frozenset(), there=frozenset()))
    assert read_again_by("plan") == ASKED
    assert read_again_by("another") is None
