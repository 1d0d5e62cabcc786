"""Which rollback files are noted on the way down: those alone of which it tells the whole."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rollbacks.descent import Descents
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.snapshot.reading_again.taken_away import Dwindling
from pytest_housekeeping.sql import file as sqlfile

MADE, DROPPED = "CREATE TABLE a (n int);", "DROP TABLE a;"


class _Begun(Exception):
    """What a file takes away would be noted."""


def _begin() -> Dwindling:
    raise _Begun


def _link(migration: str, rollback: str) -> RollbackLink:
    return RollbackLink(
        migration=sqlfile.from_text("up.sql", Kind.MIGRATION, migration, "1"),
        rollback=sqlfile.from_text("down.sql", Kind.ROLLBACK, rollback, "2"),
        pending=True,
    )


def test_what_only_drops_is_noted() -> None:
    with pytest.raises(_Begun):
        Descents(begin=_begin).before([_link(MADE, DROPPED)] * 3)


@pytest.mark.parametrize(
    ("migration", "rollback"),
    [
        (MADE + "INSERT INTO a VALUES (1);", DROPPED),
        (MADE + "SELECT pg_catalog.set_config('a.b', 'c', true);", DROPPED),
        (MADE, DROPPED + "SELECT pg_catalog.set_config('a.b', 'c', true);"),
        (MADE, DROPPED + "DELETE FROM b;"),
        (MADE, "ALTER TABLE b DROP COLUMN n;" + DROPPED),
    ],
)
@pytest.mark.parametrize("place", range(3))
def test_what_does_more_is_not(migration: str, rollback: str, place: int) -> None:
    links = [_link(MADE, DROPPED)] * 3
    links[place] = _link(migration, rollback)
    Descents(begin=_begin).before(links)
