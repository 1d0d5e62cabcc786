"""What tests of what a batch changes start from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase, start
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from support.changes_ground import Standing, StandingPlaces, stand
from support.guarded import laid_ground
from support.lent_database import LentDatabase
from support.server_scripts import settings_from_environment


@pytest.fixture
def connection(
    request: pytest.FixtureRequest, lent: LentDatabase, database: StagingDatabase
) -> Iterator[Connection]:
    """The migrator's. Where a module says ``ONE_SESSION``, all of its tests have the same one: what
    the server has looked up of its catalogs is a third of what a test of a rule takes. Not where a
    setting counts that nobody has set yet: a session knows its name for good."""
    with ExitStack() as stack:
        if getattr(request.module, "ONE_SESSION", False):
            yield stack.enter_context(lent.session(database.migrator_conninfo))
        else:
            yield stack.enter_context(psycopg.connect(database.migrator_conninfo, autocommit=True))


@pytest.fixture
def superuser(lent: LentDatabase, database: StagingDatabase) -> Iterator[Connection]:
    """The superuser's, who makes roles and no more: a session that is as new."""
    with lent.session(database.superuser_conninfo) as session:
        yield session


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    """The migrator's session, in which the tables of `guarded` stand."""
    with laid_ground(connection, superuser) as laid:
        yield laid


@pytest.fixture(scope="session")
def standing_server() -> Iterator[Server]:
    """A server of their own: a database that stays would keep the roles of all other tests."""
    running = start(settings_from_environment())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def stood(standing_server: Server) -> Fingerprint:
    """The schema of `standing`, in which nothing was done yet: the same each time, so read once."""
    database = standing_server.database()
    connection = stand(database.superuser_conninfo)
    found = read_fingerprint(connection)
    connection.close()
    standing_server.drop(database)
    return found


@pytest.fixture(scope="session")
def standing_places(standing_server: Server) -> Iterator[StandingPlaces]:
    """Where the tables of `standing` stand, for one test after the other."""
    places = StandingPlaces(standing_server)
    yield places
    places.close()


@pytest.fixture
def standing(standing_places: StandingPlaces) -> Iterator[Standing]:
    """A database in which the tables of `changes_ground` stand."""
    with standing_places.lend() as standing:
        yield standing
