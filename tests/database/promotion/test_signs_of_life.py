"""A session that waits: the watch says so over a connection of its own, and who is in the way."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.signs_of_life import SignsOfLife
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump


@pytest.fixture
def busy(database: StagingDatabase) -> Iterator[LentConnection]:
    """The connection in use."""
    opened = connect(database.migrator_conninfo)
    opened.execute("CREATE TABLE held (a int)")
    yield opened
    opened.close()


@pytest.fixture
def holder(database: StagingDatabase, busy: LentConnection) -> Iterator[LentConnection]:
    """A session of the same role that reads the table in a transaction of its own."""
    opened = connect(database.migrator_conninfo, name="nightly\x1b[31m")
    opened.execute("BEGIN; SELECT count(*)\nFROM held")
    yield opened
    opened.close()


class Told:
    """The lines that were told, each when it was."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.came = threading.Event()

    def take(self, lines: Sequence[str]) -> None:
        self.lines += lines
        self.came.set()


@contextmanager
def watched(
    connection: Callable[[], LentConnection | None], *, quiet_s: float = 0.2, every_s: float = 0.2
) -> Iterator[tuple[Progress, Told]]:
    progress, told = Progress(), Told()
    progress.tell = told.take
    watch = SignsOfLife(progress, connection, quiet_s=quiet_s, every_s=every_s)
    watch.start()
    try:
        yield progress, told
    finally:
        watch.stop()


def test_who_is_in_the_way_is_asked_over_another_connection(
    busy: LentConnection, holder: LentConnection
) -> None:
    with watched(lambda: busy) as (progress, told), progress.doing("sql/a.sql::apply"):
        waiting = threading.Thread(target=truncate, args=(busy,))
        waiting.start()
        assert told.came.wait(10)
        holder.execute("ROLLBACK")
        waiting.join(10)
    assert told.lines[0].startswith("still at sql/a.sql::apply, since ")
    assert told.lines[0].endswith(" UTC (0 s)")
    pid, user = holder.info.backend_pid, holder.info.user
    # PostgreSQL itself shows a control character in an application's name as \\x1b, older ones as ?
    assert told.lines[1].startswith(f"  in its way: process {pid} nightly")
    assert f" of {user}, since 20" in told.lines[1]
    assert told.lines[1].endswith(" UTC, idle in transaction: BEGIN; SELECT count(*)")
    assert "\x1b" not in "".join(told.lines)


def truncate(connection: LentConnection) -> None:
    connection.admit()
    connection.execute("TRUNCATE held")


def test_of_another_role_no_more_is_told_than_the_server_tells(
    busy: LentConnection, superuser: Connection
) -> None:
    # Another test of this server may have made it one of those who are told.
    superuser.execute(f"REVOKE pg_monitor FROM {busy.info.user}".encode())
    superuser.execute("BEGIN; LOCK TABLE held IN ACCESS SHARE MODE")
    with watched(lambda: busy) as (progress, told), progress.doing("it"):
        waiting = threading.Thread(target=truncate, args=(busy,))
        waiting.start()
        assert told.came.wait(10)
        superuser.execute("ROLLBACK")
        waiting.join(10)
    assert f"process {superuser.info.backend_pid}" in told.lines[1]
    assert told.lines[1].endswith("of which the server tells members of pg_read_all_stats more")


def test_what_keeps_pg_dump_waiting_is_in_the_way_as_well(
    busy: LentConnection, database: StagingDatabase, holder: LentConnection
) -> None:
    holder.execute("LOCK TABLE held")
    with watched(lambda: busy) as (progress, told), progress.doing("backup::snapshot"):
        program = find_pg_dump(busy.info.server_version // 10000)
        dumping = subprocess.Popen(
            [program, "--schema-only", f"--dbname={database.migrator_conninfo}"],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while len(told.lines) < 2 or not told.lines[-1].startswith("  in its way"):
            assert time.monotonic() < deadline, told.lines
            time.sleep(0.05)
        holder.execute("ROLLBACK")
        assert dumping.wait(10) == 0
    # By now the watch may have told once more that it goes on, with nobody in its way.
    assert f"process {holder.info.backend_pid} nightly" in "\n".join(told.lines)


def test_what_is_quick_and_what_is_over_is_not_told(busy: LentConnection) -> None:
    with watched(lambda: busy, quiet_s=0.4) as (progress, told):
        for _ in range(4):
            with progress.doing("something quick"):
                time.sleep(0.15)
        time.sleep(0.5)
    assert told.lines == []


def test_it_is_told_again_and_again(busy: LentConnection) -> None:
    with watched(lambda: None) as (progress, told), progress.doing("the collection"):
        time.sleep(1.0)
    assert 2 <= len(told.lines) <= 5
    assert all(line.startswith("still at the collection, since ") for line in told.lines)


def test_a_server_that_lets_nobody_in_is_told_and_harms_nothing(
    busy: LentConnection, database: StagingDatabase, superuser: Connection
) -> None:
    user = busy.info.user
    superuser.execute(f'ALTER ROLE "{user}" CONNECTION LIMIT 0')
    try:
        with watched(lambda: busy) as (progress, told), progress.doing("it"):
            assert told.came.wait(10)
    finally:
        superuser.execute(f'ALTER ROLE "{user}" CONNECTION LIMIT -1')
    assert told.lines[1].startswith("  in its way: not known, for the server cannot be asked: ")
    assert "too many connections for role" in told.lines[1]
    assert busy.execute("SELECT 1").fetchone() == (1,)


def test_no_connection_is_left(busy: LentConnection, superuser: Connection) -> None:
    with watched(lambda: busy) as (progress, told), progress.doing("it"):
        assert told.came.wait(10)
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%signs of life'"
    deadline = time.monotonic() + 5
    while superuser.execute(left).fetchone() != (0,):
        assert time.monotonic() < deadline
        time.sleep(0.05)
