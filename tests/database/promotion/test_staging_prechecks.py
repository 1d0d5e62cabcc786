"""What staging's prechecks say of the migrating role."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.staging.prechecks import may_become_superuser
from pytest_housekeeping.server import StagingDatabase


@pytest.mark.parametrize("through", ["", "CREATE ROLE deployers; "])
def test_a_superuser_that_the_migrator_may_become_is_named(
    database: StagingDatabase, superuser: psycopg.Connection[Any], through: str
) -> None:
    """By a membership of its own, or through another role."""
    with closing(connect(database.migrator_conninfo)) as migrator:
        assert may_become_superuser(migrator, "hk_migrator") == ()
        group = "deployers" if through else "postgres"
        superuser.execute(f"{through}GRANT {group} TO hk_migrator".encode())
        try:
            if through:
                assert may_become_superuser(migrator, "hk_migrator") == ()
                superuser.execute(b"GRANT postgres TO deployers")
            (found,) = may_become_superuser(migrator, "hk_migrator")
            assert (found.level, found.object) == (Level.WARNING, "hk_migrator")
            assert "is a member of postgres, a superuser of this server" in found.detail
            assert found.fix.startswith("REVOKE postgres FROM hk_migrator;")
        finally:
            superuser.execute(f"REVOKE {group} FROM hk_migrator".encode())


def test_of_a_superuser_nothing_is_said_of_others(superuser: psycopg.Connection[Any]) -> None:
    assert may_become_superuser(superuser, "postgres") == ()
