"""A file that no transaction can hold, and what is left when it was interrupted."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.session_state import read_settings
from pytest_housekeeping.promotion.transaction import autocommit as alone
from pytest_housekeeping.promotion.transaction.interrupted import FINISHED, left_by
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.sql import file as sqlfile

INDEX = "CREATE UNIQUE INDEX CONCURRENTLY orders_number ON orders (number)"


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[LentConnection]:
    opened = connect(database.migrator_conninfo)
    opened.execute("CREATE TABLE orders (number int)")
    yield opened
    opened.close()


def apply(connection: LentConnection, text: str, *, fresh: bool = False) -> tuple[str, ...]:
    file = sqlfile.from_text("0001_it.sql", Kind.MIGRATION, text, "")
    return alone.apply(connection, file, text, fresh=fresh)


def valid(connection: LentConnection) -> list[bool]:
    return [
        flag
        for (flag,) in connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indrelid = 'orders'::regclass"
        ).fetchall()
    ]


def test_an_index_is_made(connection: LentConnection) -> None:
    assert apply(connection, INDEX) == ()
    assert valid(connection) == [True]


def test_what_is_left_invalid_fails_and_the_next_run_finishes_it(
    connection: LentConnection,
) -> None:
    connection.execute("INSERT INTO orders VALUES (1), (1)")
    with pytest.raises(SqlFailed, match="could not create unique index"):
        apply(connection, INDEX)
    assert valid(connection) == [False]
    connection.execute("DELETE FROM orders")
    assert apply(connection, INDEX) == (
        "dropped the invalid index public.orders_number of an interrupted run",
    )
    assert valid(connection) == [True]


def test_one_that_was_finished_and_not_recorded_is_recognised(connection: LentConnection) -> None:
    apply(connection, INDEX)
    assert apply(connection, INDEX) == ("an earlier run had finished it without recording it",)


def test_another_index_of_that_name_is_none_of_ours(connection: LentConnection) -> None:
    connection.execute("CREATE INDEX orders_number ON orders (number) WHERE number > 7")
    with pytest.raises(SqlFailed, match="already exists"):
        apply(connection, INDEX)


def test_an_invalid_index_of_somebody_else_is_left_alone(connection: LentConnection) -> None:
    connection.execute("INSERT INTO orders VALUES (1), (1)")
    with pytest.raises(SqlFailed):
        apply(connection, INDEX)
    assert apply(connection, "CREATE INDEX CONCURRENTLY other ON orders (number)") == ()
    assert sorted(valid(connection)) == [False, True]


@contextmanager
def in_the_way(database: StagingDatabase, table: str) -> Iterator[None]:
    """Somebody reads meanwhile: what waits for it ends half done, by the statement's timeout."""
    with connect(database.migrator_conninfo) as other:
        other.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute(f"SELECT count(*) FROM {table}".encode())
        yield
        other.execute(b"ROLLBACK")


def interrupted(connection: LentConnection, database: StagingDatabase, text: str, on: str) -> None:
    connection.execute(b"SET statement_timeout = '300ms'")
    with in_the_way(database, on), pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(text.encode())
    connection.execute(b"RESET statement_timeout")


def indexes(connection: LentConnection, table: str) -> list[str]:
    asked = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass"
    return [name for (name,) in connection.execute(asked, (table,)).fetchall()]


def test_an_index_that_was_dropped_half_is_dropped_and_one_that_is_not_there_is_not(
    connection: LentConnection, database: StagingDatabase
) -> None:
    drop = "DROP INDEX CONCURRENTLY orders_number"
    apply(connection, INDEX)
    interrupted(connection, database, drop, "orders")
    assert valid(connection) == [False]
    assert apply(connection, drop) == ()
    assert valid(connection) == []
    with pytest.raises(SqlFailed, match="does not exist"):
        apply(connection, drop)


def test_the_twins_of_a_rebuilt_index_are_dropped_and_no_others(
    connection: LentConnection, database: StagingDatabase
) -> None:
    apply(connection, INDEX)
    connection.execute(b"CREATE INDEX orders_number_ccnew7 ON orders (number)")
    for what in ("INDEX CONCURRENTLY orders_number", "TABLE CONCURRENTLY orders"):
        interrupted(connection, database, f"REINDEX {what}", "orders")
        assert False in valid(connection)
        (said,) = apply(connection, f"REINDEX {what}")
        assert "dropped the invalid index public.orders_number_ccnew of" in said
        assert sorted(indexes(connection, "orders")) == ["orders_number", "orders_number_ccnew7"]


def test_a_partition_that_was_detached_half_or_without_record(
    connection: LentConnection, database: StagingDatabase
) -> None:
    connection.execute(
        b"CREATE TABLE part (id int) PARTITION BY RANGE (id);"
        b"CREATE TABLE part_a PARTITION OF part FOR VALUES FROM (1) TO (9)"
    )
    detach = "ALTER TABLE part DETACH PARTITION part_a CONCURRENTLY"
    interrupted(connection, database, detach, "part_a")
    (said,) = apply(connection, detach)
    assert "FINALIZE" in said
    assert connection.execute("SELECT * FROM pg_inherits").fetchall() == []
    assert apply(connection, detach) == (FINISHED,)
    with pytest.raises(SqlFailed, match="does not exist"):
        apply(connection, detach.replace("part_a", "part_b"))


def test_an_index_without_a_name_is_dropped_by_hand(connection: LentConnection) -> None:
    """Its name is another one each time."""
    connection.execute("INSERT INTO orders VALUES (1), (1)")
    with pytest.raises(SqlFailed) as caught:
        apply(connection, "CREATE UNIQUE INDEX CONCURRENTLY ON orders (number)")
    for statement in caught.value.fix.split(" then ")[0].split("; "):
        connection.execute(statement.encode())
    assert valid(connection) == []


def test_what_stands_in_the_way_of_the_clearing_is_an_error_of_the_file(
    connection: LentConnection, database: StagingDatabase
) -> None:
    connection.execute("INSERT INTO orders VALUES (1), (1)")
    with pytest.raises(SqlFailed):
        apply(connection, INDEX)
    connection.execute(b"SET statement_timeout = '300ms'")
    with in_the_way(database, "orders"), pytest.raises(SqlFailed, match="statement timeout"):
        apply(connection, INDEX)


ADDED, REMOVED, CHANGED = Change.ADDED, Change.REMOVED, Change.CHANGED
DEFINITION = "definition: CREATE UNIQUE INDEX orders_number ON public.orders USING btree ({})"
DROP = "DROP INDEX CONCURRENTLY public.orders_number"


@pytest.mark.parametrize(
    ("text", "name", "change", "after", "is_ours"),
    [
        (INDEX, "index public.orders_number", ADDED, DEFINITION.format("number"), True),
        (INDEX, "index public.orders_number", ADDED, DEFINITION.format("other"), False),
        (INDEX, "index public.orders_number", ADDED, f"{DEFINITION}\ninvalid", True),
        (INDEX, "index public.orders_number", CHANGED, DEFINITION.format("number"), False),
        (INDEX, "index public.orders_number", REMOVED, "", False),
        (INDEX, "index public.other", ADDED, f"{DEFINITION}\ninvalid", False),
        (DROP, "index public.orders_number", REMOVED, "", False),
        (DROP, "index public.orders_number", CHANGED, f"{DEFINITION}\ninvalid", True),
        (DROP, "index public.orders_number", CHANGED, DEFINITION.format("number"), False),
        (DROP, "index public.other", REMOVED, "", False),
        (DROP, "view public.orders_number", REMOVED, "", False),
        (f"{DROP}; {DROP}", "index public.orders_number", REMOVED, "", False),
    ],
)
def test_what_a_pending_file_has_left_is_no_change_past_the_files(
    text: str, name: str, change: Change, after: str, *, is_ours: bool
) -> None:
    assert left_by([text], Difference(name=name, change=change, after=after)) is is_ours


@pytest.mark.parametrize(
    "text",
    [
        INDEX,
        "ALTER TABLE part DETACH PARTITION orders CONCURRENTLY",
    ],
)
def test_a_fresh_database_has_no_interrupted_run(connection: LentConnection, text: str) -> None:
    connection.execute(b"CREATE TABLE part (number int) PARTITION BY RANGE (number)")
    connection.execute(INDEX.replace("CONCURRENTLY ", "").encode())
    assert apply(connection, text) == (FINISHED,)
    with pytest.raises(SqlFailed):
        apply(connection, text, fresh=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the server's system does not tell")
def test_a_build_whose_client_is_gone_ends(
    connection: LentConnection, database: StagingDatabase
) -> None:
    """It waits for somebody who reads, and nobody waits for it any more."""
    pid, until = connection.info.backend_pid, time.monotonic() + 20
    with (
        in_the_way(database, "orders"),
        connect(database.superuser_conninfo) as other,
        ThreadPoolExecutor(1, initializer=connection.admit) as threads,
    ):
        built = threads.submit(apply, connection, INDEX)
        while not _is_at(other, pid, "CREATE UNIQUE INDEX%"):
            assert time.monotonic() < until
            time.sleep(0.02)
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)
        with pytest.raises(SqlFailed):
            built.result()
        while _is_at(other, pid, "%"):
            assert time.monotonic() < until
            time.sleep(0.02)


def test_the_session_is_as_it_was_behind_such_a_file(connection: LentConnection) -> None:
    before = read_settings(connection)
    apply(connection, INDEX)
    assert read_settings(connection) == before


def _is_at(connection: LentConnection, pid: int, query: str) -> bool:
    asked = "SELECT FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query LIKE %s"
    return connection.execute(asked, (pid, query)).fetchone() is not None
