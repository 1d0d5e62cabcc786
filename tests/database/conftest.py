"""One throwaway server for the session, a fresh database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase, start
from support.lent_database import LentDatabase
from support.postgres_service import PASSWORD, left_as_found, postgres_service
from support.server_scripts import settings_from_environment


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The throwaway server of this session; ``HK_TEST_SERVER`` says which."""
    running = start(settings_from_environment())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """The port of a server that asks for passwords, as one that is given does."""
    with postgres_service(PASSWORD) as found:
        yield found


@pytest.fixture
def url(port: int) -> Iterator[str]:
    """Its superuser's URL; what a test leaves on the server fails it."""
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    with left_as_found(url):
        yield url


@pytest.fixture(scope="session")
def lent(server: Server) -> Iterator[LentDatabase]:
    """The database that one test after the other gets, if nothing is left in it."""
    lent = LentDatabase(server)
    yield lent
    lent.close()


@pytest.fixture
def database(lent: LentDatabase) -> Iterator[StagingDatabase]:
    """An empty database owned by the migrator; what a test leaves in it or beside it goes."""
    with lent.lend() as found:
        yield found


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[Connection]:
    """The migrator's connection to the fresh database, in autocommit: BEGIN is explicit."""
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as opened:
        yield opened


@pytest.fixture
def superuser(database: StagingDatabase) -> Iterator[Connection]:
    """The superuser's connection to the fresh database, in autocommit."""
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as opened:
        yield opened
