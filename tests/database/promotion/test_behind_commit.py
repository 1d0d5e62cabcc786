"""Behind COMMIT somebody else holds a table: it is waited for, and told as what it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.transaction.behind_commit import Look, look_behind_commit
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog import session as catalog_session
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

CONFIG: Any = SimpleNamespace(may_move={})


@pytest.fixture
def other(
    superuser: Connection, database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """A session that holds a table, of which a view is made."""
    monkeypatch.setattr(catalog_session, "_PATIENCE", 0.0)
    superuser.execute("CREATE TABLE held (a int); CREATE VIEW seen AS SELECT a FROM held")
    conninfo = f"{database.superuser_conninfo} application_name=nightly"
    with psycopg.connect(conninfo) as opened:
        yield opened


def target(connection: Connection) -> Any:
    return SimpleNamespace(
        read_schema=read_fingerprint,
        prove_history_kept=lambda _: None,
        connection=SimpleNamespace(get=lambda: connection),
    )


def test_who_holds_a_table_is_waited_for(superuser: Connection, other: Connection) -> None:
    proved = read_fingerprint(superuser)
    other.execute("TRUNCATE held")
    ending = threading.Timer(1.0, other.rollback)
    ending.start()
    look = look_behind_commit(target(superuser), proved, CONFIG)
    ending.join()
    assert look == Look(objects=len(proved.entries), duration_s=look.duration_s, schema=look.schema)
    assert look.schema is not None
    assert look.schema.digest == proved.digest
    assert look.duration_s >= 0.9


def test_who_goes_on_holding_it_is_named(superuser: Connection, other: Connection) -> None:
    proved = read_fingerprint(superuser)
    other.execute("TRUNCATE held")
    look = look_behind_commit(target(superuser), proved, CONFIG, patience_s=0.5)
    assert look.differs == ""
    assert look.unread.startswith(
        "the schema could not be read again: canceling statement due to lock timeout; waited "
    )
    holder = f"held is held by postgres in nightly process {other.info.backend_pid}, whose last"
    assert holder in look.unread


def test_a_history_that_is_not_what_was_written_differs(superuser: Connection) -> None:
    """As after a trigger that ran inside COMMIT; the schema says nothing of it."""
    proved, there = read_fingerprint(superuser), target(superuser)

    def forged(_: Connection) -> None:
        raise ProofFailed("a row of the history was written by somebody else")

    there.prove_history_kept = forged
    look = look_behind_commit(there, proved, CONFIG)
    assert look.differs == "a row of the history was written by somebody else"
