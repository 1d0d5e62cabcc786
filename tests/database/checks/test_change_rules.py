"""Every rule on what a batch changes, by its own examples, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.changes.rule import ChangeRule
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.server import StagingDatabase
from support.changes_ground import judged, stand


@pytest.fixture
def standing(database: StagingDatabase) -> Iterator[LentConnection]:
    connection = stand(database.superuser_conninfo)
    yield connection
    connection.close()


@pytest.mark.parametrize("rule", CHANGE_RULES, ids=lambda rule: rule.id)
def test_the_bad_example_is_found(standing: LentConnection, rule: ChangeRule) -> None:
    assert rule.id in {finding.rule for finding in judged(standing, rule.bad)}


@pytest.mark.parametrize("rule", CHANGE_RULES, ids=lambda rule: rule.id)
def test_nothing_is_found_in_the_good_example(standing: LentConnection, rule: ChangeRule) -> None:
    found = judged(standing, rule.good)
    assert rule.id not in {finding.rule for finding in found}
    assert not [finding for finding in found if finding.level is not Level.NOTICE]
