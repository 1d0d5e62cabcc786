"""Every rule on what a batch changes, by its own examples, on a real server."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.changes.rule import ChangeRule
from pytest_housekeeping.model import Level
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from support.changes_ground import Standing, judged


@pytest.mark.parametrize("rule", CHANGE_RULES, ids=lambda rule: rule.id)
def test_the_bad_example_is_found(standing: Standing, stood: Fingerprint, rule: ChangeRule) -> None:
    assert rule.id in {
        finding.rule
        for finding in judged(standing.batch, rule.bad, stood=stood, reader=standing.reader)
    }


@pytest.mark.parametrize("rule", CHANGE_RULES, ids=lambda rule: rule.id)
def test_nothing_is_found_in_the_good_example(
    standing: Standing, stood: Fingerprint, rule: ChangeRule
) -> None:
    found = judged(standing.batch, rule.good, stood=stood, reader=standing.reader)
    assert rule.id not in {finding.rule for finding in found}
    assert not [finding for finding in found if finding.level is not Level.NOTICE]


def test_what_is_gone_is_told_of_the_file_that_drops_it(standing: Standing) -> None:
    """Another one has locked the table first, as strongly."""
    files = [
        "ALTER TABLE shop.orders ADD COLUMN more int;",
        "ALTER TABLE shop.orders DROP COLUMN about CASCADE;",
        "ALTER TABLE shop.orders ADD COLUMN again int;",
    ]
    found = judged(standing.batch, files)
    (gone,) = [each for each in found if each.rule == "column-dropped"]
    assert ", by 0002_it.sql." in gone.detail


@pytest.mark.parametrize("kind", ["MATERIALIZED VIEW", "TABLE"])
def test_a_view_of_whose_name_something_else_is_made_is_not_gone(
    standing: Standing, kind: str
) -> None:
    again = f"CREATE {kind} shop.due AS SELECT id, about FROM shop.orders;"
    found = judged(standing.batch, [f"DROP VIEW shop.due;\n{again}"])
    assert "view-dropped" not in {each.rule for each in found}
