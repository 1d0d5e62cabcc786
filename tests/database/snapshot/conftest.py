"""The database that the tests of the snapshots share: one object of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.server import Server, StagingDatabase
from support.snapshot_schema import BASE, ROLES, drop_roles


@pytest.fixture(scope="module")
def base(server: Server) -> Iterator[StagingDatabase]:
    """A database with one object of every kind."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(ROLES)
        connection.execute(BASE)
    yield database
    server.drop(database)
    drop_roles(database)
