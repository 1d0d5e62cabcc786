"""What the look at a fleet has read of a database holds for its run, but for what changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.production.of_fleet import handed
from pytest_housekeeping.promotion.production.of_fleet.known_schema import (
    KnownSchema,
    known_reading,
)
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING, read_whole
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader


@pytest.fixture
def known(
    database: StagingDatabase,
    connection: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TargetIdentity]:
    """A table was there when the fleet was looked at, and the run of its database has begun."""
    connection.execute("CREATE TABLE held (a int)")
    connection.commit()
    place = tmp_path / "reading"
    with connect(database.superuser_conninfo) as first:
        identity = identified(first)
        KnownSchema(reading=read_whole(first, EVERYTHING), identity=identity).keep(place)
    given = handed.Handed(target=Target(name="tenants/t1"), reading=place)
    monkeypatch.setattr(handed, "_HANDED", [given])
    yield identity
    connection.rollback()
    connection.execute("DROP TABLE held")
    connection.commit()


def test_what_changed_since_is_read(
    database: StagingDatabase, connection: psycopg.Connection, known: TargetIdentity
) -> None:
    connection.execute("ALTER TABLE held ADD COLUMN b text")
    connection.commit()
    found = known_reading(known)
    assert found is not None
    reader = SchemaReader(scope=EVERYTHING)
    reader.go_on_from(found)
    with connect(database.superuser_conninfo) as second:
        now = reader.read(second)
        assert now == read_fingerprint(second, exclude_schemas=())
    assert now != found.fingerprint


def test_another_server_is_read_in_full(known: TargetIdentity) -> None:
    assert known_reading(replace(known, timeline=None)) is None
    assert known_reading(replace(known, timeline=(known.timeline or 0) + 1)) is None
    assert known_reading(replace(known, database="another")) is None
