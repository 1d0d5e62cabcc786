"""The table of which a lost thing is a part."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rollbacks.data_loss import table_of


@pytest.mark.parametrize(
    ("lost", "table"),
    [
        ("table desk.ticket", "desk.ticket"),
        ("column desk.ticket.kind", "desk.ticket"),
        ('table "De.sk"."Tick.et"', '"De.sk"."Tick.et"'),
        ('column "De.sk"."Tick.et"."a.b"', '"De.sk"."Tick.et"'),
        ('column desk.ticket."say ""a.b"""', "desk.ticket"),
    ],
)
def test_the_table_that_something_is_lost_from(lost: str, table: str) -> None:
    assert table_of(lost) == table
