"""The dump of a backup is begun while production is looked at, and ends with the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

DUMPS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Backup]:
    audit = Backup(root=tmp_path, audit="audit", started_at=datetime.now(UTC), secrets=Secrets(()))
    with closing(audit):
        yield audit


@contextmanager
def held(database: StagingDatabase) -> Iterator[Connection]:
    """Somebody holds a table, so pg_dump waits."""
    with connect(database.superuser_conninfo) as holder:
        holder.execute("CREATE TABLE held (a integer)")
        holder.execute("BEGIN; LOCK TABLE held")
        yield holder


def waits(superuser: Connection) -> bool:
    for _ in range(500):
        row = superuser.execute(f"{DUMPS} AND wait_event_type = 'Lock'").fetchone()
        if row and row[0]:
            return True
        time.sleep(0.02)
    return False


def test_what_was_begun_is_the_backup(
    backup: Backup, database: StagingDatabase, superuser: Connection
) -> None:
    major = superuser.info.server_version // 10000
    with held(database) as holder:
        backup.begin(database.superuser_conninfo, major)
        assert waits(superuser)
        backup.begin("dbname=nowhere", major)
        holder.execute("COMMIT")
    _, said = backup.snapshot(superuser, "dbname=nowhere", read_fingerprint(superuser), major, ())
    assert said.endswith("bytes")
    assert b"CREATE TABLE public.held" in backup.schemas[0]


def test_it_ends_with_a_run_that_does_not_come_to_it(
    backup: Backup, database: StagingDatabase, superuser: Connection
) -> None:
    with held(database):
        backup.begin(database.superuser_conninfo, superuser.info.server_version // 10000)
        assert waits(superuser)
        began = time.monotonic()
        backup.close()
        assert time.monotonic() - began < 10
    for _ in range(500):
        if superuser.execute(DUMPS).fetchone() == (0,):
            break
        time.sleep(0.02)
    assert superuser.execute(DUMPS).fetchone() == (0,)
