"""The one budget: what the first lock may take, and what it leaves to the others."""

from __future__ import annotations

import time

import pytest

from pytest_housekeeping.postgres.locks.budget import SMALLEST_MS, LockBudget


def budget(*, lock_timeout: int = 500, limited: bool = True) -> LockBudget:
    return LockBudget.of(lock_timeout, 1000, limited=limited)


def test_the_first_lock_has_all_of_it() -> None:
    assert budget().left_ms == 500
    assert budget().share_ms(1) == 500
    assert budget().share_ms(2) == 250


def test_the_others_have_what_is_left_counted_from_when_the_first_was_asked_for() -> None:
    counted = budget()
    counted.begin(time.perf_counter() - 0.3)
    assert 150 < counted.left_ms <= 200
    counted.begin(time.perf_counter())  # the first one counts
    assert counted.left_ms <= 200


def test_when_it_is_spent_nothing_is_waited_for() -> None:
    counted = budget()
    counted.begin(time.perf_counter() - 5)
    assert counted.left_ms == SMALLEST_MS == 1  # 0 would be no limit at all
    assert counted.share_ms(100) == SMALLEST_MS


@pytest.mark.parametrize("lock_timeout", [900, 5000])
def test_whoever_waits_for_the_batch_finds_no_deadlock(lock_timeout: int) -> None:
    """All waiting behind the first lock is over before deadlock_timeout has gone by since then."""
    counted = budget(lock_timeout=lock_timeout)
    counted.begin(time.perf_counter() - 0.9)
    assert counted.left_ms == SMALLEST_MS


def test_an_autovacuum_in_the_way_has_the_time_to_give_up() -> None:
    assert budget().patient_ms > 1000
    assert budget(lock_timeout=5000).patient_ms == 5000


def test_where_nobody_waits_nothing_is_counted() -> None:
    free = budget(limited=False)
    free.begin(time.perf_counter() - 5)
    assert free.left_ms == free.share_ms(3) == 1500
