"""A share of a fleet: what is none is refused, and every database is in one of them only."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.fleet.arguments import shard_of


def test_a_share_is_one_of_so_many() -> None:
    assert shard_of(None, Mode.PROD) == (1, 1)
    assert shard_of("3/10", Mode.VERIFY) == (3, 10)
    assert shard_of("canary", Mode.PROD) == (1, 1)


@pytest.mark.parametrize("given", ["", "0/3", "4/3", "1/257", "1", "a/b", "1/3/5", "-1/3"])
def test_what_is_no_share_is_refused(given: str) -> None:
    with pytest.raises(MisuseError, match="is no share of a fleet"):
        shard_of(given, Mode.PROD)


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.VERIFY])
def test_canaries_are_of_a_promotion(mode: Mode) -> None:
    with pytest.raises(MisuseError, match="256 shares at most"):
        shard_of("canary", mode)
