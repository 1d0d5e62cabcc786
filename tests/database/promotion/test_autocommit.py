"""A file that no transaction can hold, and what is left when it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.promotion.transaction import autocommit as alone
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql import file as sqlfile

INDEX = "CREATE UNIQUE INDEX CONCURRENTLY orders_number ON orders (number)"


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[LentConnection]:
    opened = connect(database.migrator_conninfo)
    opened.execute("CREATE TABLE orders (number int)")
    yield opened
    opened.close()


def apply(connection: LentConnection, text: str) -> tuple[str, ...]:
    return alone.apply(connection, sqlfile.from_text("0001_it.sql", Kind.MIGRATION, text, ""), text)


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
