"""A precheck that the table of modes does not name would never run, and one that nothing works
could not."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.production.prechecks.table import production_prechecks
from pytest_housekeeping.promotion.rollback.prechecks import rollback_prechecks
from pytest_housekeeping.promotion.staging.prechecks import staging_prechecks


class NotRead:
    """Stands for what the work of a precheck is made of; only its name is asked for here."""

    connection = None


NOTHING: Any = NotRead()
PRODUCTION = set(production_prechecks(NOTHING, NOTHING, NOTHING, NOTHING))
WORKED = {
    Mode.STAGING: set(staging_prechecks(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)),
    Mode.PLAN: PRODUCTION,
    Mode.PROD: PRODUCTION,
    Mode.VERIFY: PRODUCTION,
    Mode.ROLLBACK: set(rollback_prechecks(NOTHING, NOTHING, dict.fromkeys(PRODUCTION, NOTHING))),
}
# A step of --hk-baseline alone: plan/step_order.py asks for it.
ON_REQUEST = {"baseline"}


@pytest.mark.parametrize("mode", Mode)
def test_each_precheck_of_a_mode_can_be_worked(mode: Mode) -> None:
    assert set(rules_of(mode).prechecks) <= WORKED[mode]


def test_each_precheck_that_can_be_worked_belongs_to_a_mode() -> None:
    named = {name for mode in Mode for name in rules_of(mode).prechecks}
    assert set().union(*WORKED.values()) - ON_REQUEST == named
