"""A file by its statements: how long each took, its rows and WAL, and where one was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Applied, Kind
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.relation_sizes import growth, read_sizes
from pytest_housekeeping.postgres.timed_statements import Stopwatch
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.sql import file as sqlfile

TEXT = """-- The ünïcödé way.
CREATE TABLE other (a int, b text); /* not here; */
INSERT INTO t SELECT n, 'é' FROM generate_series(1, 700) AS n; -- nor here

SET LOCAL work_mem = '1234kB'; SELECT pg_sleep(0.05);
UPDATE t
SET b = ';' WHERE a <= 300;;
DO $$ BEGIN DELETE FROM t WHERE a = 1; END $$ -- without an end"""


@pytest.fixture
def transaction(connection: LentConnection, tmp_path: Path) -> Transaction:
    # With wal_level = minimal a table of the same transaction gets no WAL.
    connection.execute("CREATE TABLE t (a int, b text)")
    return begin(connection, Config(root=tmp_path))


def apply(transaction: Transaction, watch: Stopwatch, text: str) -> Applied:
    file = sqlfile.from_text("0001_it.sql", Kind.MIGRATION, text, "")
    transaction.sending = watch.send
    return transaction.apply(file, text)


def test_each_statement_by_itself(transaction: Transaction) -> None:
    watch = Stopwatch(tells_wal=True)
    done = apply(transaction, watch, TEXT)
    assert (done.rows, done.put_back) == (1000, ("work_mem = 1234",))
    assert [(each.line, each.command, each.rows) for each in watch.runs] == [
        (2, "CREATE TABLE", 0),
        (3, "INSERT", 700),
        (5, "SET", 0),
        (5, "SELECT", 0),
        (6, "UPDATE", 300),
        (8, "DO", 0),
    ]
    slept = watch.runs[3]
    assert 0.05 <= slept.duration_s < done.duration_s
    assert sum(each.duration_s for each in watch.runs) < done.duration_s
    insert, update = watch.runs[1].wal, watch.runs[4].wal
    assert insert is not None
    assert update is not None
    assert insert > 700 * 32 > 0
    assert update > 300 * 32
    assert transaction.connection.execute("SELECT count(*) FROM t").fetchone() == (699,)


def test_where_the_server_does_not_tell_its_wal(transaction: Transaction) -> None:
    watch = Stopwatch(tells_wal=False)
    apply(transaction, watch, "CREATE TABLE other (a int)")
    assert [each.wal for each in watch.runs] == [None]
    apply(transaction, watch, "-- nothing at all\n")
    assert len(watch.runs) == 1


@pytest.mark.parametrize(
    ("text", "place", "done"),
    [
        ("SELECT 1;\n\nSELECT nothing FROM pg_class;\n", "0001_it.sql:3:8", 1),
        ("SELECT 'é';\nSELECT 1 / 0;\nSELECT 2;\n", "0001_it.sql:2:1", 1),
        ("SELECT 1 FROM absent", "0001_it.sql:1:15", 0),
    ],
)
def test_a_refusal_has_its_place(
    transaction: Transaction, text: str, place: str, done: int
) -> None:
    watch = Stopwatch(tells_wal=True)
    with pytest.raises(SqlFailed, match=f"^{place}: "):
        apply(transaction, watch, text)
    assert len(watch.runs) == done


def test_what_has_grown_by_how_much(transaction: Transaction) -> None:
    connection = transaction.connection
    connection.execute(
        "CREATE TABLE kept (a int PRIMARY KEY); CREATE TABLE wide (a int PRIMARY KEY, b text);"
        "CREATE TABLE gone (a int); CREATE TABLE still (a int); CREATE SCHEMA own;"
        "CREATE TABLE own.history (a int);"
        "INSERT INTO kept SELECT generate_series(1, 2000);"
        "INSERT INTO wide SELECT n, repeat('x', 100) FROM generate_series(1, 2000) AS n"
    )
    before = read_sizes(connection, but="own")
    connection.execute(
        "UPDATE kept SET a = -a; ALTER TABLE wide ALTER a TYPE bigint;"
        "ALTER TABLE wide RENAME TO w; DROP TABLE gone; CREATE TABLE fresh (a int PRIMARY KEY);"
        "INSERT INTO own.history VALUES (1)"
    )
    found = {each.relation: each for each in growth(before, read_sizes(connection, but="own"))}
    assert set(found) == {"public.kept", "public.wide", "public.gone", "public.fresh"}
    kept, wide = found["public.kept"], found["public.wide"]
    assert kept.table_after > 1.5 * kept.table_before > 0
    assert kept.indexes_after > kept.indexes_before > 0
    assert (kept.rewritten, kept.made, kept.dropped) == (False, False, False)
    assert (wide.rewritten, wide.made, wide.dropped) == (True, False, False)
    assert found["public.gone"].dropped
    assert found["public.fresh"].made
    assert kept.more == kept.table_after + kept.indexes_after - (
        kept.table_before + kept.indexes_before
    )
