"""One throwaway server for the session, a fresh database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.server import Server, StagingDatabase, start
from support.server_scripts import settings_from_environment


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The throwaway server of this session; ``HK_TEST_SERVER`` says which."""
    running = start(settings_from_environment())
    yield running
    running.stop()


@pytest.fixture
def database(server: Server) -> Iterator[StagingDatabase]:
    """A fresh database owned by the migrator; it and the roles made beside it go afterwards."""
    fresh = server.database()
    yield fresh
    server.drop(fresh)


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """The migrator's connection to the fresh database, in autocommit: BEGIN is explicit."""
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as opened:
        yield opened


@pytest.fixture
def superuser(database: StagingDatabase) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """The superuser's connection to the fresh database, in autocommit."""
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as opened:
        yield opened
