"""What tests of what a batch changes start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.server import Server
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from support.changes_ground import Standing, StandingPlaces, stand


@pytest.fixture(scope="session")
def stood(server: Server) -> Fingerprint:
    """The schema of `standing`, in which nothing was done yet: the same each time, so read once."""
    database = server.database()
    connection = stand(database.superuser_conninfo)
    found = read_fingerprint(connection)
    connection.close()
    server.drop(database)
    return found


@pytest.fixture(scope="session")
def standing_places(server: Server) -> Iterator[StandingPlaces]:
    """Where the tables of `standing` stand, for one test after the other."""
    places = StandingPlaces(server)
    yield places
    places.close()


@pytest.fixture
def standing(standing_places: StandingPlaces) -> Iterator[Standing]:
    """A database in which the tables of `changes_ground` stand."""
    with standing_places.lend() as standing:
        yield standing
