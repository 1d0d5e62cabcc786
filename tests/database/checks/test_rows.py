"""What rows can refuse: "0 violations" is said of exactly what PostgreSQL then takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.server import Server
from support.row_cases import RowCase
from support.row_cases_tables import GROUPS
from support.row_ground import RowGround, row_ground


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[RowGround]:
    with row_ground(server) as laid:
        yield laid


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=f"{g}: {c.name}") for g, cases in GROUPS.items() for c in cases]
)
def test_the_answers_are_what_postgresql_does(ground: RowGround, case: RowCase) -> None:
    outcome = ground.outcome(case.schema, case.rows, case.batch)
    if case.unchecked:
        assert any(case.unchecked in each.why for each in outcome.unchecked), str(outcome)
        return
    assert outcome.unchecked == [], str(outcome)
    assert bool(outcome.violations) == bool(outcome.refused), str(outcome)
    assert sum(each.violations for each in outcome.lost) == case.lost or outcome.refused
