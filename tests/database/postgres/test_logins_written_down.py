"""An event trigger that writes down who logs in, as PostgreSQL's own pages show one (since 17)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.dumps.dump import dump_schema

WRITTEN_DOWN = """
CREATE SCHEMA audit;
CREATE TABLE audit.login (who name NOT NULL);
CREATE FUNCTION audit.write_down() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' AS $$ BEGIN INSERT INTO audit.login VALUES (session_user); END $$;
CREATE EVENT TRIGGER write_down ON login EXECUTE FUNCTION audit.write_down();
ALTER EVENT TRIGGER write_down ENABLE ALWAYS;
"""


@pytest.fixture(scope="module")
def written_down() -> Iterator[StagingDatabase]:
    server = start(ServerSettings(version=18))
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(WRITTEN_DOWN)
        yield database
    finally:
        server.stop()


def test_a_session_that_only_reads_comes_in_and_only_reads(written_down: StagingDatabase) -> None:
    reads = {"default_transaction_read_only": "on"}
    refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
    with connect(written_down.migrator_conninfo, settings=reads) as connection, refused:
        connection.execute("CREATE TABLE t ()")


def test_the_schema_is_dumped(written_down: StagingDatabase) -> None:
    assert b"audit.write_down" in dump_schema(written_down.superuser_conninfo, server_major=18)
