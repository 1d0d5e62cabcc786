"""What production has in a relation, and how often it is written to, without reading a row."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.postgres import relations_now as now
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.server import StagingDatabase

STANDS = """
CREATE TABLE counted (id int PRIMARY KEY);
INSERT INTO counted SELECT generate_series(1, 4000);
ANALYZE counted;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE high PARTITION OF parted FOR VALUES FROM (100) TO (200);
INSERT INTO parted SELECT generate_series(0, 149);
ANALYZE low; ANALYZE high;
CREATE TABLE empty (id int);
CREATE VIEW seen AS SELECT id FROM counted;
"""


@pytest.fixture
def stands(connection: LentConnection) -> LentConnection:
    connection.execute(STANDS)
    # What a session has counted is there for others when it reports it.
    connection.execute("SELECT pg_stat_force_next_flush()")
    return connection


def told(connection: LentConnection, *names: str) -> dict[str, now.RelationNow]:
    first = now.first_look(connection)
    found = now.relations_now(connection, names, replace(first, at=first.at - 10))
    return {each.relation: each for each in found}


def test_rows_sizes_and_what_is_no_table(stands: LentConnection) -> None:
    names = ("public.counted", "public.parted", "public.empty", "public.seen", "public.gone")
    found = told(stands, *names)
    assert set(found) == {"public.counted", "public.parted", "public.empty"}
    assert (found["public.counted"].rows, found["public.parted"].rows) == (4000, 150)
    assert (found["public.empty"].rows, found["public.empty"].size) == (0, 0)
    assert (found["public.counted"].size or 0) > 100_000
    assert found["public.counted"].writes_per_s == 0


def test_writes_are_those_between_two_looks(stands: LentConnection) -> None:
    first = now.first_look(stands)
    stands.execute("UPDATE low SET id = id; DELETE FROM high WHERE id < 120")
    stands.execute("SELECT pg_stat_force_next_flush()")
    (parted,) = now.relations_now(stands, ["public.parted"], replace(first, at=first.at - 10))
    assert 11.5 < (parted.writes_per_s or 0) <= 12


def test_a_table_that_is_kept_from_everybody_has_no_size(
    stands: LentConnection, database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(now, "_PATIENCE", "50ms")
    with psycopg.connect(database.migrator_conninfo) as other:
        other.execute("LOCK TABLE counted IN ACCESS EXCLUSIVE MODE")
        found = told(stands, "public.counted")["public.counted"]
        other.rollback()
    assert (found.rows, found.size) == (4000, None)
    assert told(stands, "public.counted")["public.counted"].size
