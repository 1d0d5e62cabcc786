"""Whose the objects of a replay are: those of the role that promotes in production."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.production.prechecks.baseline import (
    owned_as_there,
    owner_there,
    platform_way,
)
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import ServerSettings, start


@pytest.mark.parametrize("user", ["postgres", "hk_shop_owner"])
def test_they_are_of_production_s_role_be_it_the_superuser_here(tmp_path: Path, user: str) -> None:
    """A production that is migrated as postgres, the name that the throwaway superuser has."""
    config = Config(root=tmp_path)
    server = start(ServerSettings())
    try:
        throwaway = Throwaway(server, config)
        with closing(throwaway.migrator()) as migrator:
            migrator.execute("CREATE TABLE item (); GRANT SELECT ON item TO PUBLIC")
        with connect(throwaway.database().superuser_conninfo) as found:
            # Who is connected owns nothing of it, and then a part.
            assert owner_there(found, "housekeeping") == config.migrator
            found.execute("CREATE SCHEMA housekeeping CREATE TABLE history ()")
            assert owner_there(found, "housekeeping") == config.migrator
            found.execute("CREATE VIEW part AS SELECT 1 AS one")
            assert owner_there(found, "housekeeping") == "postgres"
            assert platform_way(config, found) == ""
            found.execute("CREATE ROLE rds_superuser")
            assert 'platform = "rds" in [tool.housekeeping]' in platform_way(config, found)
            assert platform_way(Config(root=tmp_path, platform="rds"), found) == ""
            found.rollback()
        owned_as_there(config, user, throwaway)
        with connect(throwaway.database().superuser_conninfo) as found:
            query = "SELECT relowner::regrole::text, relacl::text FROM pg_class WHERE relname = %s"
            row = found.execute(query, ("item",)).fetchone()
        assert row == (user, f"{{{user}=arwdDxt/{user},=r/{user}}}")
    finally:
        server.stop()
