"""Production's schema is read ahead in a session of its own: of the same database, or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from psycopg import sql

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.production.first_reading import FirstReading
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader


@pytest.fixture
def session(database: StagingDatabase) -> Iterator[Connection]:
    """That of the promotion."""
    with connect(database.superuser_conninfo) as opened:
        opened.execute("CREATE TABLE held (a int)")
        yield opened


def first(
    session: Connection, opened: Callable[[], LentConnection], timeline: int = 0
) -> FirstReading:
    identity = identified(session)
    known = replace(identity, timeline=(identity.timeline or 0) + timeline)
    schema = SchemaReader(scope=EVERYTHING)
    return FirstReading(schema=schema, opened=opened, identity=known, plan="of no fleet")


def now(session: Connection) -> Fingerprint:
    return read_fingerprint(session, exclude_schemas=())


def test_what_was_read_ahead_is_the_schema_and_what_changes_behind_it_is_read(
    database: StagingDatabase, session: Connection
) -> None:
    before = now(session)
    with closing(first(session, partial(connect, database.superuser_conninfo))) as reading:
        reading.begin(session)
        assert reading.ahead() is not None
        session.execute("ALTER TABLE held ADD COLUMN b text")
        assert reading.fingerprint(session) == before
        assert reading.schema.read(session) == now(session) != before


def test_another_server_at_the_address_is_not_what_was_read(
    database: StagingDatabase, session: Connection
) -> None:
    """A standby that was promoted beside it answers from another timeline."""
    opened = partial(connect, database.superuser_conninfo)
    with closing(first(session, opened, timeline=1)) as reading:
        reading.begin(session)
        assert reading.ahead() is None
        session.execute("ALTER TABLE held ADD COLUMN b text")
        assert reading.fingerprint(session) == now(session)


def test_without_a_second_connection_the_promotion_reads_itself(session: Connection) -> None:
    def refused() -> LentConnection:
        raise ServerError("too many connections", why="one is all that the role may have")

    with closing(first(session, refused)) as reading:
        reading.begin(session)
        assert reading.fingerprint(session) == now(session)


def test_where_connections_are_limited_pg_dump_has_the_second(
    database: StagingDatabase, session: Connection
) -> None:
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 2").format(sql.Identifier(database.name))
    session.execute(limit)
    opened = partial(connect, database.superuser_conninfo)
    with closing(first(session, opened)) as reading:
        reading.begin(session)
        assert reading.ahead() is None
        assert reading.fingerprint(session) == now(session)


def test_a_run_that_ends_waits_for_no_reading(
    database: StagingDatabase, session: Connection, superuser: Connection
) -> None:
    session.execute("CREATE VIEW of_held AS SELECT a FROM held")
    with connect(database.superuser_conninfo) as holder:
        holder.execute("BEGIN; LOCK TABLE held")
        reading = first(session, partial(connect, database.superuser_conninfo))
        reading.begin(session)
        for _ in range(500):
            if superuser.execute(_WAITING).rowcount:
                break
            time.sleep(0.01)
        began = time.monotonic()
        reading.close()
        # It would be tried for three seconds.
        assert time.monotonic() - began < 2
    assert reading.ahead() is None


_WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
