"""The dump of a backup is begun while a run is put together, and ends with the run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Mode
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.promotion.production.prechecks.table import (
    begin_backup,
    production_prechecks,
)
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.production.target_address import Address
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies.server import RestoreServer
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from support.staged_project import Staged, make_project, staged_copy

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


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    make_project(tmp_path / "p")
    with staged_copy(tmp_path / "p", tmp_path / "copy", monkeypatch) as staged:
        yield staged


@pytest.fixture
def target(
    staged: Staged, backup: Backup, database: StagingDatabase, server: Server
) -> Iterator[ProductionTarget]:
    """The database, to which nothing was promoted yet, and a server for a copy of it."""
    place = conninfo_to_dict(database.superuser_conninfo)
    address = Address(
        host=str(place["host"]),
        port=int(str(place["port"])),
        database=database.name,
        user=str(place["user"]),
        password="",
        sslmode="prefer",
    )
    with connect(database.superuser_conninfo) as session:
        known, context = identified(session), staged.context(Mode.PROD)
        made = ProductionTarget(context, address, session, known, backup)
        backup.restore_server = RestoreServer(server=server, kind="embedded", major=made.major)
        with closing(made.first):
            yield made
        backup.restore_server = None


def begin(staged: Staged, target: ProductionTarget) -> Callable[[], Judgement]:
    """What begins while a run is put together; the precheck of the database."""
    context = staged.context(Mode.PROD)
    throwaway = Throwaway(None, context.config)
    prechecks = production_prechecks(context, target, throwaway, Checks(context, throwaway))
    begin_backup(context, target, prechecks)
    return prechecks["identity"]


def test_dump_and_reading_begin_while_the_run_is_put_together(
    staged: Staged, target: ProductionTarget, database: StagingDatabase, superuser: Connection
) -> None:
    with held(database):
        identity = begin(staged, target)
        assert waits(superuser)
        assert target.first.ahead() is not None
    # What was found of the database then is what is told of it.
    assert identity() is identity()
    assert identity()[0].passed


def test_of_another_database_nothing_is_begun(staged: Staged, target: ProductionTarget) -> None:
    staged.write(pin_of_another(staged))
    assert not begin(staged, target)()[0].passed
    assert target.first.ahead() is None
    assert not [each for each in threading.enumerate() if each.name.startswith("hk-backup")]


def pin_of_another(staged: Staged) -> dict[str, str]:
    path = staged.context(Mode.PROD).config.target.pin
    return {path: json.dumps({"system_identifier": "1", "database": "another"})}
