"""A reading of the catalog that meets a lock: patient, but not where others wait for its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog.session import reading
from pytest_housekeeping.snapshot.problems import SnapshotError


@pytest.fixture
def reader(database: StagingDatabase) -> Iterator[LentConnection]:
    opened = connect(database.migrator_conninfo)
    opened.execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT * FROM t; CREATE TABLE ours ()")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("transaction", "at_least", "at_most"),
    [
        ("", 2.9, 6.0),
        ("BEGIN; SET LOCAL lock_timeout = '500ms'", 2.9, 6.0),
        # Somebody waits for these two.
        ("BEGIN; SET LOCAL lock_timeout = '500ms'; LOCK TABLE ours", 0.5, 2.0),
        ("BEGIN; SET LOCAL lock_timeout = '1ms'; LOCK TABLE ours", 0.0, 0.3),
    ],
)
def test_for_how_long_it_is_tried(
    database: StagingDatabase,
    reader: LentConnection,
    transaction: str,
    at_least: float,
    at_most: float,
) -> None:
    with psycopg.connect(database.migrator_conninfo) as other:
        other.execute("LOCK TABLE t")  # PostgreSQL reads the view's text under a lock on it
        reader.execute(transaction.encode() or b"SELECT 1")
        started = time.monotonic()
        with pytest.raises(SnapshotError, match="lock timeout"):
            reading(reader, lambda: reader.execute("SELECT pg_get_viewdef('public.v'::regclass)"))
        assert at_least < time.monotonic() - started < at_most
