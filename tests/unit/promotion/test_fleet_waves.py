"""Waves: canaries of every group first, everything once, and nothing left out."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_housekeeping.promotion.fleet.waves import waves_of


def shown(groups: Sequence[Sequence[str]], canary: int, shares: Sequence[int]) -> dict[str, str]:
    return {wave.name: "".join(wave.databases) for wave in waves_of(groups, canary, shares)}


def test_canaries_are_of_all_groups() -> None:
    groups = ["abcdefgh", "xy"]
    assert shown(groups, 2, [50, 100]) == {"canary": "ax", "wave-1": "byc", "wave-2": "defgh"}


def test_a_wave_that_would_be_empty_is_none() -> None:
    assert shown(["abc"], 1, [10, 50, 100]) == {"canary": "a", "wave-2": "b", "wave-3": "c"}
    assert shown(["a"], 3, [100]) == {"canary": "a"}


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    canary=st.integers(1, 5),
    shares=st.lists(st.integers(1, 99), unique=True, max_size=4).map(sorted),
)
def test_every_database_is_in_one_wave(sizes: list[int], canary: int, shares: list[int]) -> None:
    groups = [[f"{group}-{n}" for n in range(size)] for group, size in enumerate(sizes)]
    waves = waves_of(groups, canary, [*shares, 100])
    found = [name for wave in waves for name in wave.databases]
    assert sorted(found) == sorted(name for group in groups for name in group)
    assert len(waves[0].databases) == min(canary, len(found))
