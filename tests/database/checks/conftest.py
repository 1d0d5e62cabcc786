"""What tests of what a batch changes start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from support.changes_ground import stand


@pytest.fixture(scope="session")
def stood(server: Server) -> Fingerprint:
    """The schema of `standing`, in which nothing was done yet: the same each time, so read once."""
    database = server.database()
    connection = stand(database.superuser_conninfo)
    found = read_fingerprint(connection)
    connection.close()
    server.drop(database)
    return found


@pytest.fixture
def standing(database: StagingDatabase) -> Iterator[LentConnection]:
    """A database in which the tables of `changes_ground` stand."""
    connection = stand(database.superuser_conninfo)
    yield connection
    connection.close()
