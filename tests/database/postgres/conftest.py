"""In this room the connection is the tool's own, not psycopg's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.server import StagingDatabase


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[LentConnection]:
    """The migrator's connection to the fresh database; a test may leave it lent."""
    opened = connect(database.migrator_conninfo)
    yield opened
    opened.lent = False
    opened.close()
