"""Locks that are asked for before the files of a batch, under one budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Kind, Lock
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks, LockNotHad
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile

EXCLUSIVE = "AccessExclusiveLock"
# Hash and path stand for a file; the texts here are all its own.
TEXTS = {
    "0001_a.sql": "ALTER TABLE a ADD x int",
    "0002_b.sql": "ALTER TABLE b ADD x int",
}
Other: TypeAlias = Connection
HELD = """SELECT c.relname || ' ' || l.mode
FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
WHERE l.pid = %s AND c.relnamespace = 'public'::regnamespace ORDER BY 1"""


@pytest.fixture(autouse=True)
def _tables(connection: LentConnection) -> None:
    connection.execute("CREATE TABLE a (n int); CREATE TABLE b (n int)")


@pytest.fixture
def other(database: StagingDatabase) -> Iterator[Other]:
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as opened:
        yield opened


def file_of(path: str) -> SqlFile:
    return sqlfile.from_text(path, Kind.MIGRATION, TEXTS[path], "")


def apply(transaction: Transaction, path: str) -> tuple[Lock, ...]:
    return transaction.apply(file_of(path), TEXTS[path]).locks


def apply_all(transaction: Transaction) -> list[tuple[Lock, ...]]:
    return [apply(transaction, path) for path in TEXTS]


def foreseen(*, seconds: float = 0.0, read: Sequence[str] = ()) -> ForeseenLocks:
    return ForeseenLocks(
        by_file={
            ("0001_a.sql", ""): (Lock(relation="public.a", mode=EXCLUSIVE),),
            ("0002_b.sql", ""): (Lock(relation="public.b", mode=EXCLUSIVE),),
        },
        read_through=tuple(read),
        seconds=seconds,
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(root=tmp_path, lock_timeout="400ms")


def held(transaction: Transaction, other: Other) -> list[str]:
    pid = transaction.connection.info.backend_pid
    return [each for (each,) in other.execute(HELD, (pid,)).fetchall()]


KEPT = ["a ShareUpdateExclusiveLock", "b ShareUpdateExclusiveLock"]


def test_a_short_batch_has_all_its_locks_before_its_first_file(
    connection: LentConnection, other: Other, config: Config
) -> None:
    transaction = begin(connection, config, foreseen=foreseen(read=["public.a"]))
    transaction.requests.before(file_of("0001_a.sql"))
    exclusive = [f"a {EXCLUSIVE}", f"b {EXCLUSIVE}"]
    assert held(transaction, other) == sorted([*KEPT, *exclusive])


@pytest.mark.parametrize("why", ["the copy took long", "a large table is read"])
def test_another_has_those_of_each_file_before_it(
    connection: LentConnection, other: Other, config: Config, why: str
) -> None:
    """Nobody waits for a table that comes last while the first is written anew."""
    if why == "a large table is read":
        connection.execute("INSERT INTO b SELECT generate_series(1, 600000)")
        known = foreseen(read=["public.b"])
    else:
        known = foreseen(seconds=3.0)
    transaction = begin(connection, config, foreseen=known)
    apply(transaction, "0001_a.sql")
    assert held(transaction, other) == sorted([*KEPT, f"a {EXCLUSIVE}"])
    apply(transaction, "0002_b.sql")
    assert f"b {EXCLUSIVE}" in held(transaction, other)


def test_a_lock_is_told_with_the_file_that_takes_it(
    connection: LentConnection, config: Config
) -> None:
    transaction = begin(connection, config, foreseen=foreseen())
    assert apply_all(transaction) == [
        (Lock(relation="public.a", mode=EXCLUSIVE),),
        (Lock(relation="public.b", mode=EXCLUSIVE),),
    ]
    assert transaction.locks.held_s > 0


@contextmanager
def reading(database: StagingDatabase, table: str) -> Iterator[list[float]]:
    """Somebody reads a table again and again; for how many seconds each time."""
    seconds: list[float] = []
    done = threading.Event()

    def read() -> None:
        with psycopg.connect(database.migrator_conninfo, autocommit=True) as reader:
            while not done.is_set():
                started = time.perf_counter()
                reader.execute(f"SELECT count(*) FROM {table}")
                seconds.append(time.perf_counter() - started)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seconds
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("seconds", [0.0, 3.0], ids=["short", "long"])
def test_who_reads_the_first_table_waits_no_longer_than_the_budget(
    connection: LentConnection,
    other: Other,
    database: StagingDatabase,
    config: Config,
    seconds: float,
) -> None:
    """The second is never had; the first is let go as soon as the budget is spent."""
    other.execute("BEGIN; SELECT FROM b")
    transaction = begin(connection, config, foreseen=foreseen(seconds=seconds))
    with reading(database, "a") as waited:
        started = time.perf_counter()
        with pytest.raises(LockNotHad) as caught:
            apply_all(transaction)
        connection.execute("ROLLBACK")
        took = time.perf_counter() - started
    assert caught.value.wanted == Lock(relation="public.b", mode=EXCLUSIVE)
    assert "public.b could not be locked in ACCESS EXCLUSIVE mode" in caught.value.found
    assert caught.value.sqlstate == "55P03"
    assert 0.3 < took < 0.9
    assert max(waited) < 0.9


def test_when_the_budget_is_spent_nothing_more_is_waited_for(
    connection: LentConnection, other: Other, config: Config
) -> None:
    transaction = begin(connection, config, foreseen=foreseen(seconds=3.0))
    apply(transaction, "0001_a.sql")
    other.execute("BEGIN; SELECT FROM b")
    time.sleep(0.45)
    started = time.perf_counter()
    with pytest.raises(LockNotHad):
        apply(transaction, "0002_b.sql")
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize("seconds", [0.0, 3.0], ids=["short", "long"])
def test_what_the_first_lock_has_taken_is_gone(
    connection: LentConnection,
    other: Other,
    database: StagingDatabase,
    config: Config,
    seconds: float,
) -> None:
    """All of them together have waited no longer than one of them may."""
    transaction = begin(connection, config, foreseen=foreseen(seconds=seconds))
    other.execute("BEGIN; SELECT FROM b")
    with psycopg.connect(database.migrator_conninfo) as first:
        first.execute("SELECT FROM a")
        release = threading.Timer(0.25, first.rollback)
        release.start()
        started = time.perf_counter()
        with pytest.raises(LockNotHad, match=r"public\.b"):
            apply_all(transaction)
        took = time.perf_counter() - started
        release.join()
    assert 0.35 < took < 0.6


def test_what_is_not_foreseen_shares_the_budget_as_well(
    connection: LentConnection, other: Other, config: Config
) -> None:
    """As everything in a run in place that staging has no record of."""
    transaction = begin(connection, config, foreseen=ForeseenLocks())
    apply(transaction, "0001_a.sql")
    other.execute("BEGIN; SELECT FROM b")
    time.sleep(0.45)
    started = time.perf_counter()
    with pytest.raises(SqlFailed, match="lock timeout"):
        apply(transaction, "0002_b.sql")
    assert time.perf_counter() - started < 0.2


def test_checks_wait_for_what_is_left_as_well(connection: LentConnection, config: Config) -> None:
    transaction = begin(connection, config, foreseen=foreseen())
    apply(transaction, "0001_a.sql")
    time.sleep(0.45)
    transaction.seal()
    assert connection.execute("SHOW lock_timeout").fetchone() == ("1ms",)


def test_who_alters_or_vacuums_is_waited_for_with_patience(
    connection: LentConnection, other: Other, database: StagingDatabase, config: Config
) -> None:
    """Nobody who reads or writes waits meanwhile, so that an autovacuum has time to give up."""
    other.execute("BEGIN; LOCK TABLE b IN SHARE UPDATE EXCLUSIVE MODE")
    threading.Timer(1.1, lambda: other.execute("ROLLBACK")).start()
    transaction = begin(connection, config, foreseen=foreseen())
    with reading(database, "a") as waited:
        started = time.perf_counter()
        apply(transaction, "0001_a.sql")
        took = time.perf_counter() - started
        connection.execute("ROLLBACK")
    assert 1.0 < took < 1.5
    assert max(waited) < 0.5


def test_a_relation_is_found_under_its_new_name(connection: LentConnection, config: Config) -> None:
    transaction = begin(connection, config, foreseen=foreseen(seconds=3.0))
    connection.execute("ALTER SCHEMA public RENAME TO moved; SET LOCAL search_path = moved")
    assert apply(transaction, "0001_a.sql") == (Lock(relation="public.a", mode=EXCLUSIVE),)


def test_what_cannot_be_asked_for_shares_what_is_left(
    connection: LentConnection, superuser: LentConnection, config: Config
) -> None:
    """LOCK TABLE of a view would lock what it reads; of others' tables it is refused."""
    connection.execute("CREATE VIEW v AS SELECT * FROM a")
    superuser.execute("CREATE TABLE theirs (n int)")
    locks = tuple(Lock(relation=f"public.{name}", mode=EXCLUSIVE) for name in ("v", "theirs"))
    transaction = begin(
        connection, config, foreseen=ForeseenLocks(by_file={("0001_a.sql", ""): locks})
    )
    assert transaction.requests.before(file_of("0001_a.sql")) == [
        "SET LOCAL lock_timeout = '200ms'"
    ]
    assert transaction.requests.asked == set()
